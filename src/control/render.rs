//! The views of ports, networks and problems, built from the state of the control thread.

use super::daemon::Daemon;
use super::desired::NoLink;
use crate::api::model::{DownKind, NetworkPortView, NetworkView, PairView, PortState, PortView, SubportView};
use crate::nb::{ChildPortSegmentation, LogicalPort};
use crate::tables;
use crate::types::{Id, LinkRole, Problem};

/// Upper bound of the problems in an answer: more than an operator reads, some 200 KB.
const MAX_PROBLEMS: usize = 1000;

impl Daemon {
    pub(super) fn ports_view(&self) -> Vec<PortView> {
        let nb = self.reconciler.compiler.northbound();
        let ports = self.reconciler.desired.ports(&self.reconciler.links).filter_map(|(lport, found)| {
            let port = nb.lports().get(lport)?;
            let open = self.reconciler.ports.of_role(&LinkRole::Port(lport.clone()));
            let ifindex = open.map(|open| open.ifindex).or(found.ok());
            let options = self.reconciler.config.port(lport);
            Some(PortView {
                lport: lport.to_string(),
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
    pub(super) fn state_of(&self, lport: &Id) -> PortState {
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

    pub(super) fn subports_view(&self) -> Vec<SubportView> {
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
    fn is_here(&self, lport: &Id) -> bool {
        self.reconciler.compiler.report(lport).is_some() || self.reconciler.desired.contains(lport)
    }

    pub(super) fn networks_view(&self) -> Vec<NetworkView> {
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

    pub(super) fn problems_view(&self) -> Vec<Problem> {
        let mut problems = self.reconciler.problems();
        problems.extend(self.session.problems());
        problems.extend(self.panic_problems());
        problems.extend(self.log_problem());
        problems.extend(self.incumbents_problem());
        problems.extend(self.reconciler.backend.problem());
        problems.extend(self.sighting_problems());
        problems.extend(self.tunnel_problems());
        problems.extend(self.slow_path.problems());
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
