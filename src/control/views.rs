//! What the API answers.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::reconcile::Control;
use super::trace::trace;
use crate::api::Query;
use crate::api::view::{
    DeviceStats, FrameCensus, NetworkPortView, NetworkView, PortStats, PortView, SocketStats, StatsView,
    SubportView, WorkerView,
};
use crate::nb::{self, ChildPortSegmentation};
use crate::tables::{PortTotals, parent_of};
use crate::types::Problem;
use crate::worker::{SocketReport, WorkerReport};

/// The name that counters show for frames that no port can be blamed for.
const NO_PORT: &str = "(no port)";

impl Control {
    /// Answers `query`, or says why not.
    pub(super) async fn answer(&self, query: Query) -> Result<Value, String> {
        match query {
            Query::Ports => json(&self.ports_view()),
            Query::Subports => json(&self.subports_view()),
            Query::Networks => json(&self.networks_view()),
            Query::Workers => json(&self.workers_view()),
            Query::Problems => json(&self.problems_view()),
            Query::Stats => {
                let reports = self.workers.report().await.map_err(|error| error.to_string())?;
                json(&self.stats_view(&reports))
            }
            Query::Trace(request) => json(&trace(self, &request)?),
        }
    }

    fn ports_view(&self) -> Vec<PortView> {
        let nb = self.compiler.northbound();
        let ports = self.desired.ports.iter().filter_map(|(lport, device)| {
            let port = nb.lports().get(lport)?;
            let open = self.ports.values().find(|open| open.lport == *lport);
            let ifindex = open.map(|open| open.ifindex).or(device.as_ref().ok().copied());
            let options = self.config.port(lport);
            Some(PortView {
                lport: lport.clone(),
                name: port.name.clone(),
                device: ifindex.and_then(|ifindex| self.links.get(&ifindex)).map(|link| link.name.clone()),
                ifindex,
                mode: open.map(|open| open.program.mode()),
                queues: open.map_or(0, |open| open.queues.len() as u16),
                network: port.lswitch.clone(),
                key: port.key,
                macs: port.macs.clone(),
                no_socket: options.no_socket,
                allow_generic: options.allow_generic,
                complete_checksums: options.complete_checksums,
                state: self.state_of(lport),
            })
        });
        ports.collect()
    }

    /// `up`, or why the port does not forward.
    fn state_of(&self, lport: &str) -> String {
        if let Some(report) = self.compiler.report(lport) {
            return report.state.to_string();
        }
        match self.desired.ports.get(lport) {
            Some(Err(reason)) => reason.clone(),
            Some(Ok(ifindex)) => match self.refused.get(ifindex) {
                Some(refusal) => refusal.reason.clone(),
                None => "its record cannot be used; see `trunkpath show problems`".to_owned(),
            },
            None => "not here".to_owned(),
        }
    }

    fn subports_view(&self) -> Vec<SubportView> {
        let nb = self.compiler.northbound();
        let subports = nb.lports().values().filter_map(|port| {
            let segmentation = parent_of(nb, &port.id)?;
            let ChildPortSegmentation { parent, segmentation: tag, .. } = segmentation;
            self.is_here(parent).then(|| SubportView {
                lport: port.id.clone(),
                name: port.name.clone(),
                parent: parent.clone(),
                segmentation_type: tag.kind().to_owned(),
                segmentation_id: tag.id(),
                network: port.lswitch.clone(),
                key: port.key,
                macs: port.macs.clone(),
                state: match self.compiler.report(&port.id) {
                    Some(report) => report.state.to_string(),
                    None => "parent down".to_owned(),
                },
            })
        });
        subports.collect()
    }

    /// Whether the port is in the tables, or bound here.
    fn is_here(&self, lport: &str) -> bool {
        self.compiler.report(lport).is_some() || self.desired.ports.contains_key(lport)
    }

    fn networks_view(&self) -> Vec<NetworkView> {
        let nb = self.compiler.northbound();
        let networks = nb.lswitches().values().map(|network| {
            let ports = nb.lports_on(&network.id).filter(|port| self.is_here(&port.id));
            NetworkView {
                lswitch: network.id.clone(),
                name: network.name.clone(),
                key: network.key,
                ports: ports
                    .map(|port| NetworkPortView {
                        lport: port.id.clone(),
                        key: port.key,
                        macs: port.macs.clone(),
                        state: self.state_of(&port.id),
                    })
                    .collect(),
            }
        });
        networks.filter(|network| !network.ports.is_empty()).collect()
    }

    fn workers_view(&self) -> Vec<WorkerView> {
        let queues = |worker| {
            let ports = self.ports.values();
            ports.flat_map(move |port| {
                let owned = port.queues.iter().enumerate().filter(move |(_, owner)| **owner == worker);
                owned.map(|(queue, _)| format!("{}/{queue}", port.device))
            })
        };
        let workers = self.workers.cpus().enumerate().map(|(worker, cpu)| WorkerView {
            worker,
            cpu,
            queues: queues(worker).collect(),
            sleeping: self.workers.is_asleep(worker),
            handover_queued: self.workers.handed_over(worker) as u64,
        });
        workers.collect()
    }

    fn problems_view(&self) -> Vec<Problem> {
        let refused = self.refused.iter().map(|(ifindex, refusal)| {
            let link = self.links.get(ifindex).map_or_else(|| ifindex.to_string(), |link| link.name.clone());
            Problem::new(format!("link {link}"), refusal.reason.clone())
        });
        let no_device = self.desired.ports.iter().filter_map(|(lport, device)| {
            Some(Problem::new(format!("lport {lport}"), device.as_ref().err()?.clone()))
        });
        let about = || format!("NB DB {}", nb::masked(&self.config.nb));
        let unreported = self.cloud.reports.failure();
        let unreported = unreported.map(|reason| Problem::new(about(), format!("reports: {reason}")));
        let mut problems = self.compiler.problems();
        problems.extend(self.nb_problem.iter().cloned().chain(self.stale()).chain(unreported));
        problems.extend(no_device.chain(refused));
        problems.sort();
        problems.dedup();
        problems
    }

    /// Says how old the view of the NB DB is, when that is worth a word.
    fn stale(&self) -> Option<Problem> {
        const WORTH_A_WORD: Duration = Duration::from_mins(1);
        let age = self.cloud.db.confirmed()?.elapsed();
        let reason = format!("what is known of it is {} s old; forwarding goes on with that", age.as_secs());
        let about = format!("NB DB {}", nb::masked(&self.config.nb));
        (age > WORTH_A_WORD).then(|| Problem::new(about, reason))
    }

    fn stats_view(&self, reports: &[WorkerReport]) -> StatsView {
        let sockets: Vec<_> = reports.iter().flat_map(|report| &report.sockets).collect();
        let mut ports: Vec<_> =
            self.compiler.counters().totals().map(|(lport, totals)| port_stats(lport, &totals)).collect();
        let nobodys = self.compiler.counters().no_port().totals();
        if nobodys != PortTotals::default() {
            ports.push(port_stats(NO_PORT, &nobodys));
        }
        let devices = self.ports.values().map(|port| {
            let counters = port.program.counters().unwrap_or_default();
            let mut sockets: Vec<_> = sockets
                .iter()
                .filter(|socket| socket.link == port.link)
                .map(|socket| socket_stats(socket))
                .collect();
            sockets.sort_by_key(|socket| socket.queue);
            DeviceStats {
                device: port.device.clone(),
                redirected: counters.redirected,
                passed: counters.passed,
                dropped: counters.dropped,
                sockets,
            }
        });
        StatsView { ports, devices: devices.collect(), frames: self.frame_census(reports) }
    }

    /// Where all frames are. The arena knows the place of each; what the workers know divides the rings further.
    fn frame_census(&self, reports: &[WorkerReport]) -> FrameCensus {
        let sockets = || reports.iter().flat_map(|report| &report.sockets);
        let arena = self.arena.census();
        let pooled = reports.iter().map(|report| report.pool).sum::<usize>().min(arena.held);
        let handed_over: usize = (0..reports.len()).map(|worker| self.workers.handed_over(worker)).sum();
        let between_workers = handed_over.min(arena.held - pooled);
        let rx = sockets().map(|socket| socket.rings.rx).sum::<usize>().min(arena.receiving);
        let tx = sockets().map(|socket| socket.rings.tx).sum::<usize>().min(arena.transmitting);
        FrameCensus {
            total: self.arena.frame_count() as u64,
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
