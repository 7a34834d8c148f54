//! The views of counters and workers. Tasks of the API build them from shared counters, so that a request for
//! them neither waits for the control thread nor delays it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::link_registry::LinkRegistry;
use crate::api::model::{
    ChunkCensus, LinkStats, OutsideStats, OutsideSubject, PortStats, SocketStats, StatsView, WorkerView,
};
use crate::api::{ApiError, Reply};
use crate::kernel::inspect;
use crate::tables::{CounterBook, LinkSlot, PortTotals};
use crate::worker::{SocketReport, WorkerReport, WorkerReporter};
use crate::xsk::Arena;

/// The name in the counters for frames that belong to no port.
const NO_PORT: &str = "(no port)";

/// The sources of the views. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct LiveViews {
    pub(super) arena: &'static Arena,
    pub(super) workers: WorkerReporter,
    pub(super) links: Arc<LinkRegistry>,
    pub(super) counters: CounterBook,
}

impl LiveViews {
    /// The answer to [`Query::Stats`](crate::api::Query::Stats). It is built on the blocking pool, because it
    /// takes some system calls for each link.
    pub(super) async fn stats(&self) -> Reply {
        let outcome = match self.workers.report().await {
            Ok(reports) => {
                let views = self.clone();
                let built =
                    spawn_blocking(move || Ok(serde_json::to_value(views.stats_view(&reports))?)).await;
                built.unwrap_or_else(|error| Err(ApiError::Build(error)))
            }
            Err(error) => Err(error.into()),
        };
        self.reply(outcome)
    }

    /// The answer to [`Query::Workers`](crate::api::Query::Workers).
    pub(super) fn workers(&self) -> Reply {
        self.reply(serde_json::to_value(self.workers_view()).map_err(ApiError::from))
    }

    fn reply(&self, outcome: Result<Value, ApiError>) -> Reply {
        Reply { outcome, age_secs: self.links.age().as_secs() }
    }

    fn workers_view(&self) -> Vec<WorkerView> {
        let mut workers: Vec<_> = self
            .workers
            .cpus()
            .enumerate()
            .map(|(worker, cpu)| WorkerView {
                worker,
                cpu,
                queues: Vec::new(),
                sleeping: self.workers.is_asleep(worker),
                handover_queued: self.workers.handed_over(worker) as u64,
            })
            .collect();
        for link in self.links.links() {
            for (queue, owner) in link.queues.iter().enumerate() {
                if let Some(view) = workers.get_mut(*owner) {
                    view.queues.push(format!("{}/{queue}", link.name));
                }
            }
        }
        workers
    }

    fn stats_view(&self, reports: &[WorkerReport]) -> StatsView {
        let mut ports: Vec<_> =
            self.counters.totals().map(|(lport, totals)| port_stats(&lport, &totals)).collect();
        let without_port = self.counters.no_port().totals();
        if without_port != PortTotals::default() {
            ports.push(port_stats(NO_PORT, &without_port));
        }
        let peers = self.counters.peer_totals().into_iter();
        let peers = peers.map(|(id, totals)| outside_stats(OutsideSubject::Peer(id.to_string()), &totals));
        let segments = self.counters.segment_totals().into_iter();
        let segments =
            segments.map(|(id, totals)| outside_stats(OutsideSubject::Segment(id.to_string()), &totals));
        let outside = peers.chain(segments).collect();
        let transmit_drops = inspect::transmit_drops().unwrap_or_default();
        let mut sockets = BTreeMap::<LinkSlot, Vec<SocketStats>>::new();
        for socket in reports.iter().flat_map(|report| &report.sockets) {
            sockets.entry(socket.link).or_default().push(socket_stats(socket));
        }
        let links = self.links.links().into_iter().map(|link| {
            let counters = link.counters.read().unwrap_or_default();
            let mut sockets = sockets.remove(&link.slot).unwrap_or_default();
            sockets.sort_by_key(|socket| socket.queue);
            LinkStats {
                link: link.name.to_string(),
                redirected: counters.redirected,
                passed: counters.passed,
                dropped: counters.dropped,
                transmit_dropped: transmit_drops.get(&*link.name).copied().unwrap_or_default(),
                sockets,
            }
        });
        StatsView { ports, outside, links: links.collect(), chunks: self.chunk_census(reports) }
    }

    /// The place of each chunk: from the arena, and for the rings from the workers' reports.
    fn chunk_census(&self, reports: &[WorkerReport]) -> ChunkCensus {
        let sockets = || reports.iter().flat_map(|report| &report.sockets);
        let arena = self.arena.census();
        let pooled = reports.iter().map(|report| report.pool).sum::<usize>().min(arena.held);
        let handed_over: usize = (0..reports.len()).map(|worker| self.workers.handed_over(worker)).sum();
        let between_workers = handed_over.min(arena.held - pooled);
        let rx = sockets().map(|socket| socket.rings.rx).sum::<usize>().min(arena.receiving);
        let tx = sockets().map(|socket| socket.rings.tx).sum::<usize>().min(arena.transmitting);
        ChunkCensus {
            total: self.arena.chunk_count() as u64,
            pool: (arena.free + pooled) as u64,
            fill: (arena.receiving - rx) as u64,
            rx: rx as u64,
            in_hand: (arena.held - pooled - between_workers) as u64,
            tx: tx as u64,
            completion: (arena.transmitting - tx) as u64,
            between_workers: between_workers as u64,
            sum: (arena.free + arena.held + arena.receiving + arena.transmitting) as u64,
        }
    }
}

fn port_stats(lport: &str, totals: &PortTotals) -> PortStats {
    PortStats {
        lport: lport.to_owned(),
        received_frames: totals.received_frames,
        received_bytes: totals.received_bytes,
        sent_frames: totals.sent_frames,
        sent_bytes: totals.sent_bytes,
        drops: totals.drops_by_reason().map(|(reason, count)| (reason.to_string(), count)).collect(),
        address_moves: totals.address_moves,
        refused_address_moves: totals.refused_address_moves,
    }
}

fn outside_stats(subject: OutsideSubject, totals: &PortTotals) -> OutsideStats {
    OutsideStats {
        subject,
        received_frames: totals.received_frames,
        received_bytes: totals.received_bytes,
        sent_frames: totals.sent_frames,
        sent_bytes: totals.sent_bytes,
        drops: totals.drops_by_reason().map(|(reason, count)| (reason.to_string(), count)).collect(),
    }
}

fn socket_stats(report: &SocketReport) -> SocketStats {
    let kernel = report.statistics;
    SocketStats {
        queue: report.queue.0,
        rx_dropped: kernel.rx_dropped,
        rx_invalid: kernel.rx_invalid,
        tx_invalid: kernel.tx_invalid,
        rx_ring_full: kernel.rx_ring_full,
        fill_ring_empty: kernel.fill_ring_empty,
        tx_ring_empty: kernel.tx_ring_empty,
    }
}
