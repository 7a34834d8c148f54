//! The views of other hosts and of uplinks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::daemon::Daemon;
use super::underlay::{Path, Paths};
use crate::api::model::{PathView, PeerView, UplinkView};
use crate::datapath::Entry;
use crate::tables::{PeerSlot, PortSlot, PortTotals, Steering, Tables};
use crate::types::{Id, LinkRole, Problem, QueueId, TunnelType};

impl Daemon {
    pub(super) fn peers_view(&self) -> Vec<PeerView> {
        let tables = self.reconciler.tables();
        let networks = self.networks_by_peer(&tables);
        let counts: BTreeMap<_, _> = self.reconciler.compiler.counters().peer_totals().into_iter().collect();
        let peers = self.reconciler.compiler.peers().filter_map(|(binding, slot, types)| {
            let endpoint = tables.peer(slot)?.address;
            let name = binding.host_name();
            let counts = counts.get(&*name);
            let count = |of: fn(&PortTotals) -> u64| counts.map(of).unwrap_or_default();
            let found = self.tunnels.found(endpoint);
            let paths = found.and_then(|found| found.paths.as_ref().ok());
            let paths = paths.map(Paths::distinct).unwrap_or_default();
            Some(PeerView {
                peer: name.to_string(),
                endpoint,
                tunnel_types: TunnelType::ALL
                    .into_iter()
                    .filter(|kind| types.contains((*kind).into()))
                    .collect(),
                networks: networks.get(&slot)?.clone(),
                paths: paths.iter().map(|path| self.path_view(path)).collect(),
                problem: found.and_then(|found| found.paths.as_ref().err()).map(ToString::to_string),
                age_seconds: found.map(|found| found.since.elapsed().as_secs()).unwrap_or_default(),
                received_frames: count(|counts| counts.received_frames),
                sent_frames: count(|counts| counts.sent_frames),
            })
        });
        peers.collect()
    }

    /// The ids of the networks here that each host has ports of.
    fn networks_by_peer(&self, tables: &Tables) -> BTreeMap<PeerSlot, Vec<String>> {
        let nb = self.reconciler.compiler.northbound();
        let mut networks = BTreeMap::<_, Vec<_>>::new();
        for network in tables.networks() {
            let Some(lswitch) = nb.lswitch_with_key(network.key) else { continue };
            for host in network.hosts() {
                networks.entry(host).or_default().push(lswitch.id.to_string());
            }
        }
        networks
    }

    fn path_view(&self, path: &Path) -> PathView {
        PathView {
            link: self.reconciler.link_name(path.link),
            next_hop: path.next_hop,
            next_hop_mac: path.destination_mac,
            mtu: path.mtu_bytes,
        }
    }

    pub(super) fn uplinks_view(&self) -> Vec<UplinkView> {
        let reconciler = &self.reconciler;
        let mapped = reconciler.config.uplinks.values().map(|name| Id::from(name.as_str()));
        let open_or_wanted = reconciler.uplinks().into_values().map(|uplink| uplink.name);
        let names: BTreeSet<_> = mapped.chain(open_or_wanted).collect();
        let steering: BTreeMap<_, _> = reconciler.compiler.steering().collect();
        names.iter().map(|name| self.uplink_view(name, steering.get(name))).collect()
    }

    fn uplink_view(&self, name: &Id, steering: Option<&Steering>) -> UplinkView {
        let reconciler = &self.reconciler;
        let link = reconciler.links.named(name);
        let open = reconciler.ports.of_role(&LinkRole::Uplink(name.clone()));
        let physical = reconciler.config.uplinks.iter().filter(|(_, mapped)| **mapped == **name);
        let problem = match link {
            None => Some("there is no such link".to_owned()),
            Some(link) if open.is_none() => Some(match reconciler.openings.refusal(link.ifindex) {
                Some(refusal) => refusal.reason.clone(),
                None if link.up => "it is being set up".to_owned(),
                None => "it is switched off".to_owned(),
            }),
            Some(link) => (!link.carrier).then(|| "it has no carrier".to_owned()),
        };
        UplinkView {
            link: name.to_string(),
            ifindex: link.map(|link| link.ifindex),
            mode: open.map(|open| open.handle.program.mode()),
            socket_mode: open.map(|open| open.handle.socket_mode),
            queues: open.map_or(0, |open| open.queues.len() as u16),
            physical_networks: physical.map(|(physical, _)| physical.to_string()).collect(),
            vlans: steering.map(|steering| steering.vids.clone()).unwrap_or_default(),
            untagged: steering.is_some_and(|steering| steering.has_untagged),
            peers: link.map_or(0, |link| reconciler.endpoints_by(link.ifindex)),
            problem,
        }
    }

    /// Hosts that are not reached.
    pub(super) fn tunnel_problems(&self) -> Vec<Problem> {
        let hosts = self.reconciler.compiler.peers();
        let tables = self.reconciler.tables();
        let problems = hosts.filter_map(|(binding, slot, _)| {
            let reason = self.tunnels.problem(tables.peer(slot)?.address)?;
            Some(Problem::new(binding.to_string(), reason))
        });
        problems.collect()
    }

    /// The id and the name of what has a place in the tables: of a port, a host, or a provider network's
    /// wire.
    pub(super) fn name_at(&self, slot: PortSlot) -> (String, String) {
        let compiler = &self.reconciler.compiler;
        let tables = self.reconciler.tables();
        if let Some(peer) = slot.peer() {
            let host = compiler.peers().find(|(_, place, _)| *place == peer);
            let id = host.map_or_else(|| "?".to_owned(), |(binding, ..)| binding.host_name().to_string());
            return (id.clone(), format!("host {id}"));
        }
        if let Some(lport) = compiler.port_at(slot) {
            return (lport.to_owned(), self.name_of(lport));
        }
        let network = tables.port(slot).and_then(|port| port.identity.segment());
        let network = network.and_then(|key| compiler.northbound().lswitch_with_key(key));
        match network {
            Some(network) => (network.id.to_string(), format!("the wire of network {}", network.id)),
            None => ("?".to_owned(), "?".to_owned()),
        }
    }

    /// Lets the slow path use an uplink that is open.
    pub(super) fn update_slow_path(&self) {
        let uplinks = self.reconciler.ports.iter().filter(|port| matches!(port.role, LinkRole::Uplink(_)));
        let mut entries = uplinks.filter_map(|port| {
            let entry = Entry { link: port.slot, queue: QueueId(0) };
            Some((entry, *port.queues.first()?))
        });
        self.slow_path.set_entry(entries.next());
    }

    /// Searches the paths to the hosts that have ports of networks here now. Returns whether some are no
    /// longer needed, which takes another round.
    pub(super) fn update_tunnels(&mut self) -> bool {
        let Some(wanted) = self.reconciler.take_endpoints_in_use() else { return false };
        let own = self.reconciler.compiler.endpoint();
        self.slow_path.listen(own.filter(|_| !wanted.is_empty()));
        let gone: Vec<IpAddr> = self.tunnels.set_wanted(own, wanted);
        for address in &gone {
            self.reconciler.apply_paths(*address, None);
        }
        !gone.is_empty()
    }
}
