//! What the API answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::daemon::Daemon;
use super::reconciler::Evidence;
use super::trace::trace;
use crate::api::model::{
    DeviceStats, FrameCensus, NetworkPortView, NetworkView, PairView, PortStats, PortView, SocketStats,
    StatsView, SubportView, WorkerView,
};
use crate::api::{Call, Query, Reply};
use crate::kernel::inspect;
use crate::nb::{self, ChildPortSegmentation, LogicalPort};
use crate::tables::PortTotals;
use crate::types::{IfIndex, Problem};
use crate::worker::{SocketReport, WorkerReport};

/// The name that counters show for frames that no port can be blamed for.
const NO_PORT: &str = "(no port)";

/// Problems that are shown at most: more than an operator reads, and an answer of some 200 KB.
const MAX_PROBLEMS: usize = 1000;

impl Daemon {
    /// Answers a question, or says why not.
    pub(super) async fn answer(&self, call: Call) {
        let Call { query, reply } = call;
        let age_secs = self.reconciler.devices.age().as_secs();
        let outcome = match query {
            Query::Ports => json(&self.ports_view()),
            Query::Subports => json(&self.subports_view()),
            Query::Networks => json(&self.networks_view()),
            Query::Workers => json(&self.workers_view()),
            Query::Problems => json(&self.problems_view()),
            Query::Nb => json(&self.session.view(self.reconciler.compiler().problems().len())),
            Query::Stats => match self.reconciler.devices.workers.report().await {
                Ok(reports) => json(&self.stats_view(&reports)),
                Err(error) => Err(error.to_string()),
            },
            Query::Trace(request) => trace(self, &request).and_then(|view| json(&view)),
            Query::Drift => {
                // The DB may take its time, and the comparison does.
                let (url, evidence) = (self.reconciler.config.nb.clone(), self.reconciler.evidence());
                tokio::spawn(async move {
                    let outcome = drift(&url, evidence).await.and_then(|found| json(&found));
                    drop(reply.send(Reply { outcome, age_secs }));
                });
                return;
            }
        };
        // A client that hung up does not want it any more.
        drop(reply.send(Reply { outcome, age_secs }));
    }

    fn ports_view(&self) -> Vec<PortView> {
        let nb = self.reconciler.compiler.northbound();
        let opened: BTreeMap<&str, _> =
            self.reconciler.ports.values().map(|open| (&*open.lport, open)).collect();
        let ports = self.reconciler.desired.ports(&self.reconciler.links).filter_map(|(lport, device)| {
            let port = nb.lports().get(lport)?;
            let open = opened.get(lport).copied();
            let ifindex = open.map(|open| open.ifindex).or(device.ok());
            let options = self.reconciler.config.port(lport);
            Some(PortView {
                lport: lport.to_owned(),
                name: port.name.to_string(),
                device: ifindex
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

    /// `up`, or why the port does not forward.
    fn state_of(&self, lport: &str) -> String {
        if let Some(report) = self.reconciler.compiler.report(lport) {
            return report.state.to_string();
        }
        match self.reconciler.desired.device_of(lport, &self.reconciler.links) {
            Some(Err(reason)) => reason,
            Some(Ok(ifindex)) => {
                match (self.reconciler.refused.get(&ifindex), self.reconciler.opening_for(ifindex)) {
                    (Some(refusal), _) => refusal.reason.clone(),
                    (None, Some(waiting)) => format!("is being opened for {} s", waiting.as_secs()),
                    (None, None) => "its record cannot be used; see `trunkpath show problems`".to_owned(),
                }
            }
            None => "not here".to_owned(),
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
                state: match self.reconciler.compiler.report(&port.id) {
                    Some(report) => report.state.to_string(),
                    None => "parent down".to_owned(),
                },
                unknown_tags: self.unknown_tags_view(&port.id),
                refused_macs: self.refused_macs_view(&port.id),
            })
        });
        subports.collect()
    }

    /// Whether the port is in the tables, or bound here.
    fn is_here(&self, lport: &str) -> bool {
        self.reconciler.compiler.report(lport).is_some() || self.reconciler.desired.wants(lport)
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
            let ports = self.reconciler.ports.values();
            ports.flat_map(move |port| {
                let owned = port.queues.iter().enumerate().filter(move |(_, owner)| **owner == worker);
                owned.map(|(queue, _)| format!("{}/{queue}", port.device))
            })
        };
        let workers = self.reconciler.devices.workers.cpus().enumerate().map(|(worker, cpu)| WorkerView {
            worker,
            cpu,
            queues: queues(worker).collect(),
            sleeping: self.reconciler.devices.workers.is_asleep(worker),
            handover_queued: self.reconciler.devices.workers.handed_over(worker) as u64,
        });
        workers.collect()
    }

    fn problems_view(&self) -> Vec<Problem> {
        let mut problems = self.reconciler.problems();
        problems.extend(self.session.problems());
        problems.extend(self.panic_problems());
        problems.extend(self.log_problem());
        problems.extend(self.incumbents_problem());
        problems.extend(self.reconciler.devices.problem());
        problems.extend(self.sighting_problems());
        let name = |ifindex: IfIndex| {
            self.reconciler.links.get(ifindex).map_or_else(|| ifindex.to_string(), |link| link.name.clone())
        };
        let reconciler = &self.reconciler;
        let is_taken = |ifindex| {
            reconciler.ports.contains_key(&ifindex)
                || reconciler.refused.contains_key(&ifindex)
                || reconciler.opening.contains_key(&ifindex)
        };
        problems.extend(self.reconciler.devices.pinning.problems(name, is_taken));
        problems.sort();
        problems.dedup();
        cut(&mut problems);
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
        let nobodys = self.reconciler.compiler.counters().no_port().totals();
        if nobodys != PortTotals::default() {
            ports.push(port_stats(NO_PORT, &nobodys));
        }
        let transmit_drops = inspect::transmit_drops().unwrap_or_default();
        let devices = self.reconciler.ports.values().map(|port| {
            let counters = port.handle.program.counters().unwrap_or_default();
            let mut sockets: Vec<_> = sockets
                .iter()
                .filter(|socket| socket.link == port.slot)
                .map(|socket| socket_stats(socket))
                .collect();
            sockets.sort_by_key(|socket| socket.queue);
            DeviceStats {
                device: port.device.clone(),
                redirected: counters.redirected,
                passed: counters.passed,
                dropped: counters.dropped,
                transmit_dropped: transmit_drops.get(&port.device).copied().unwrap_or_default(),
                sockets,
            }
        });
        StatsView { ports, devices: devices.collect(), frames: self.frame_census(reports) }
    }

    /// Where all frames are. The arena knows the place of each; what the workers know divides the rings further.
    fn frame_census(&self, reports: &[WorkerReport]) -> FrameCensus {
        let sockets = || reports.iter().flat_map(|report| &report.sockets);
        let arena = self.reconciler.devices.arena.census();
        let pooled = reports.iter().map(|report| report.pool).sum::<usize>().min(arena.held);
        let handed_over: usize =
            (0..reports.len()).map(|worker| self.reconciler.devices.workers.handed_over(worker)).sum();
        let between_workers = handed_over.min(arena.held - pooled);
        let rx = sockets().map(|socket| socket.rings.rx).sum::<usize>().min(arena.receiving);
        let tx = sockets().map(|socket| socket.rings.tx).sum::<usize>().min(arena.transmitting);
        FrameCensus {
            total: self.reconciler.devices.arena.chunk_count() as u64,
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

/// Leaves [`MAX_PROBLEMS`], and says how many more there are.
fn cut(problems: &mut Vec<Problem>) {
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    if more > 0 {
        let reason = format!("{more} more are not shown -> solve some of those shown");
        problems.push(Problem::new("problems", reason));
    }
}

/// Reads the NB DB by a handle of its own, for what ours has read is what is in force.
async fn drift(url: &str, evidence: Evidence) -> Result<Vec<String>, String> {
    let db = nb::open_existing(url).await.map_err(|error| error.to_string())?;
    let snapshot = db.snapshot().await.map_err(|error| error.to_string())?;
    let compared = spawn_blocking(move || evidence.differences(&snapshot)).await;
    compared.map_err(|error| error.to_string())
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

fn json(view: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(view).map_err(|error| error.to_string())
}
