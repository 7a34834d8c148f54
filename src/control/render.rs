//! The answers of the API, built from what the control thread holds.

use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::daemon::Daemon;
use super::desired::NoLink;
use super::reconciler::Evidence;
use super::trace::trace;
use crate::api::model::{
    ChunkCensus, DownKind, LinkStats, NetworkPortView, NetworkView, PairView, PortState, PortStats, PortView,
    SocketStats, StatsView, SubportView, WorkerView,
};
use crate::api::{ApiError, Call, Query, Reply};
use crate::kernel::inspect;
use crate::nb::{self, ChildPortSegmentation, LogicalPort};
use crate::tables::{self, PortTotals};
use crate::types::Problem;
use crate::worker::{SocketReport, WorkerReport};

/// The name in the counters for frames that belong to no port.
const NO_PORT: &str = "(no port)";

/// Upper bound of the problems in an answer: more than an operator reads, some 200 KB.
const MAX_PROBLEMS: usize = 1000;

impl Daemon {
    /// Answers a request of the API. The comparison for [`Query::Drift`] runs on a task of its own.
    pub(super) async fn answer(&self, call: Call) {
        let Call { query, reply } = call;
        let age_secs = self.reconciler.backend.age().as_secs();
        let outcome = match query {
            Query::Ports => json(&self.ports_view()),
            Query::Subports => json(&self.subports_view()),
            Query::Networks => json(&self.networks_view()),
            Query::Workers => json(&self.workers_view()),
            Query::Problems => json(&self.problems_view()),
            Query::Nb => json(&self.session.view(self.reconciler.compiler().problems().len())),
            Query::Stats => match self.reconciler.backend.workers.report().await {
                Ok(reports) => json(&self.stats_view(&reports)),
                Err(error) => Err(error.into()),
            },
            Query::Trace(request) => trace(self, &request).and_then(|view| json(&view)),
            Query::Drift => {
                let (url, evidence) = (self.reconciler.config.nb.clone(), self.reconciler.evidence());
                tokio::spawn(async move {
                    let outcome = drift(&url, evidence).await.and_then(|found| json(&found));
                    drop(reply.send(Reply { outcome, age_secs }));
                });
                return;
            }
        };
        // Fails when the client has closed its connection.
        drop(reply.send(Reply { outcome, age_secs }));
    }

    fn ports_view(&self) -> Vec<PortView> {
        let nb = self.reconciler.compiler.northbound();
        let ports = self.reconciler.desired.ports(&self.reconciler.links).filter_map(|(lport, found)| {
            let port = nb.lports().get(lport)?;
            let open = self.reconciler.ports.of_lport(lport);
            let ifindex = open.map(|open| open.ifindex).or(found.ok());
            let options = self.reconciler.config.port(lport);
            Some(PortView {
                lport: lport.to_owned(),
                name: port.name.to_string(),
                link: ifindex
                    .and_then(|ifindex| self.reconciler.links.get(ifindex))
                    .map(|link| link.name.clone()),
                ifindex,
                mode: open.map(|open| open.handle.program.mode()),
                queues: open.map_or(0, |open| open.queues.len() as u16),
                network: port.lswitch.to_string(),
                key: port.key,
                macs: port.macs.to_vec(),
                no_socket: options.no_socket,
                allow_generic: options.allow_generic,
                complete_checksums: options.complete_checksums,
                state: self.state_of(lport),
                unknown_tags: self.unknown_tags_view(lport),
                refused_macs: self.refused_macs_view(lport),
            })
        });
        ports.collect()
    }

    /// The state of a port that is bound here.
    pub(super) fn state_of(&self, lport: &str) -> PortState {
        if let Some(report) = self.reconciler.compiler.report(lport) {
            return port_state(report.state);
        }
        match self.reconciler.desired.link_of(lport, &self.reconciler.links) {
            Some(Err(reason @ NoLink::Down(_))) => PortState::down(DownKind::LinkDown, reason.to_string()),
            Some(Err(reason)) => PortState::down(DownKind::NoLink, reason.to_string()),
            Some(Ok(ifindex)) => {
                let openings = &self.reconciler.openings;
                match (openings.refusal(ifindex), openings.opening_for(ifindex)) {
                    (Some(refusal), _) => PortState::down(DownKind::LinkRefused, &*refusal.reason),
                    (None, Some(waiting)) => PortState::down(
                        DownKind::Opening,
                        format!("its link is being set up, for {} s so far", waiting.as_secs()),
                    ),
                    (None, None) => PortState::down(
                        DownKind::InvalidRecord,
                        "its record cannot be used: see `trunkpath show problems`",
                    ),
                }
            }
            None => PortState::down(DownKind::NotBoundHere, "not bound to this chassis"),
        }
    }

    fn subports_view(&self) -> Vec<SubportView> {
        let nb = self.reconciler.compiler.northbound();
        let subports = nb.lports().values().filter_map(|port| {
            let segmentation = nb.segmentation_above(&port.id)?;
            let ChildPortSegmentation { parent, segmentation: tag, .. } = segmentation;
            self.is_here(parent).then(|| SubportView {
                lport: port.id.to_string(),
                name: port.name.to_string(),
                parent: parent.to_string(),
                segmentation_type: tag.kind().to_owned(),
                segmentation_id: tag.id(),
                network: port.lswitch.to_string(),
                key: port.key,
                macs: port.macs.to_vec(),
                state: port_state(
                    self.reconciler
                        .compiler
                        .report(&port.id)
                        .map_or(tables::PortState::ParentDown, |report| report.state),
                ),
                unknown_tags: self.unknown_tags_view(&port.id),
                refused_macs: self.refused_macs_view(&port.id),
            })
        });
        subports.collect()
    }

    /// Whether the port is in the tables, or bound to this chassis.
    fn is_here(&self, lport: &str) -> bool {
        self.reconciler.compiler.report(lport).is_some() || self.reconciler.desired.contains(lport)
    }

    fn networks_view(&self) -> Vec<NetworkView> {
        let nb = self.reconciler.compiler.northbound();
        let networks = nb.lswitches().values().map(|network| {
            let ports = nb.lports_on(&network.id).filter(|port| self.is_here(&port.id));
            NetworkView {
                lswitch: network.id.to_string(),
                name: network.name.to_string(),
                key: network.key,
                ports: ports
                    .map(|port| NetworkPortView {
                        lport: port.id.to_string(),
                        key: port.key,
                        macs: port.macs.to_vec(),
                        pairs: self.pairs_of(port),
                        state: self.state_of(&port.id),
                    })
                    .collect(),
            }
        });
        networks.filter(|network| !network.ports.is_empty()).collect()
    }

    fn pairs_of(&self, port: &LogicalPort) -> Vec<PairView> {
        let holder = |mac| self.reconciler.compiler.holder_of(&port.lswitch, mac).map(str::to_owned);
        let macs = port.source_rules.iter().flat_map(|rules| &*rules.pair_macs);
        macs.map(|mac| PairView { mac: *mac, holder: holder(*mac) }).collect()
    }

    fn workers_view(&self) -> Vec<WorkerView> {
        let queues = |worker| {
            let ports = self.reconciler.ports.iter();
            ports.flat_map(move |port| {
                let owned = port.queues.iter().enumerate().filter(move |(_, owner)| **owner == worker);
                owned.map(|(queue, _)| format!("{}/{queue}", port.link_name))
            })
        };
        let workers = self.reconciler.backend.workers.cpus().enumerate().map(|(worker, cpu)| WorkerView {
            worker,
            cpu,
            queues: queues(worker).collect(),
            sleeping: self.reconciler.backend.workers.is_asleep(worker),
            handover_queued: self.reconciler.backend.workers.handed_over(worker) as u64,
        });
        workers.collect()
    }

    fn problems_view(&self) -> Vec<Problem> {
        let mut problems = self.reconciler.problems();
        problems.extend(self.session.problems());
        problems.extend(self.panic_problems());
        problems.extend(self.log_problem());
        problems.extend(self.incumbents_problem());
        problems.extend(self.reconciler.backend.problem());
        problems.extend(self.sighting_problems());
        let reconciler = &self.reconciler;
        let name = |ifindex| reconciler.link_name(ifindex);
        let is_taken = |ifindex| {
            reconciler.ports.contains(ifindex)
                || reconciler.openings.refusal(ifindex).is_some()
                || reconciler.openings.opening_for(ifindex).is_some()
        };
        problems.extend(self.reconciler.backend.pinning.problems(name, is_taken));
        problems.sort();
        problems.dedup();
        truncate(&mut problems);
        problems
    }

    fn stats_view(&self, reports: &[WorkerReport]) -> StatsView {
        let sockets: Vec<_> = reports.iter().flat_map(|report| &report.sockets).collect();
        let mut ports: Vec<_> = self
            .reconciler
            .compiler
            .counters()
            .totals()
            .map(|(lport, totals)| port_stats(lport, &totals))
            .collect();
        let without_port = self.reconciler.compiler.counters().no_port().totals();
        if without_port != PortTotals::default() {
            ports.push(port_stats(NO_PORT, &without_port));
        }
        let transmit_drops = inspect::transmit_drops().unwrap_or_default();
        let links = self.reconciler.ports.iter().map(|port| {
            let counters = port.handle.program.counters().unwrap_or_default();
            let mut sockets: Vec<_> = sockets
                .iter()
                .filter(|socket| socket.link == port.slot)
                .map(|socket| socket_stats(socket))
                .collect();
            sockets.sort_by_key(|socket| socket.queue);
            LinkStats {
                link: port.link_name.clone(),
                redirected: counters.redirected,
                passed: counters.passed,
                dropped: counters.dropped,
                transmit_dropped: transmit_drops.get(&port.link_name).copied().unwrap_or_default(),
                sockets,
            }
        });
        StatsView { ports, links: links.collect(), chunks: self.chunk_census(reports) }
    }

    /// The place of each chunk: from the arena, and for the rings from the workers' reports.
    fn chunk_census(&self, reports: &[WorkerReport]) -> ChunkCensus {
        let sockets = || reports.iter().flat_map(|report| &report.sockets);
        let arena = self.reconciler.backend.arena.census();
        let pooled = reports.iter().map(|report| report.pool).sum::<usize>().min(arena.held);
        let handed_over: usize =
            (0..reports.len()).map(|worker| self.reconciler.backend.workers.handed_over(worker)).sum();
        let between_workers = handed_over.min(arena.held - pooled);
        let rx = sockets().map(|socket| socket.rings.rx).sum::<usize>().min(arena.receiving);
        let tx = sockets().map(|socket| socket.rings.tx).sum::<usize>().min(arena.transmitting);
        ChunkCensus {
            total: self.reconciler.backend.arena.chunk_count() as u64,
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

/// Keeps the first [`MAX_PROBLEMS`], and adds one with the number of the others.
fn truncate(problems: &mut Vec<Problem>) {
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    if more > 0 {
        let reason = format!("{more} more are not shown -> solve some of those shown");
        problems.push(Problem::new("problems", reason));
    }
}

/// Compares the tables in force with a fresh read of the NB DB, by a connection of its own.
async fn drift(url: &str, evidence: Evidence) -> Result<Vec<String>, ApiError> {
    let snapshot = nb::open_existing(url).await?.snapshot().await?;
    Ok(spawn_blocking(move || evidence.differences(&snapshot)).await?)
}

fn port_state(state: tables::PortState) -> PortState {
    let kind = match state {
        tables::PortState::Up => return PortState::Up,
        tables::PortState::Disabled => DownKind::Disabled,
        tables::PortState::LinkDown => DownKind::LinkDown,
        tables::PortState::ParentDown => DownKind::ParentDown,
        tables::PortState::NoNetwork => DownKind::NoNetwork,
    };
    PortState::down(kind, state.to_string())
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

fn json(view: &impl Serialize) -> Result<Value, ApiError> {
    Ok(serde_json::to_value(view)?)
}
