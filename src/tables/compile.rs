//! From records and links to [`Tables`].

use std::collections::BTreeMap;

use arrayvec::ArrayVec;
use hashbrown::HashMap;

use super::claims::{Claim, Claims};
use super::{
    CounterBook, Exit, LinkEntry, LinkSlot, MAX_NESTING, Network, NetworkSlot, Port, PortReport, PortSlot,
    PortState, Tables, TagMeaning, VlanTable, WorkerId,
};
use crate::nb::{LogicalPort, Northbound};
use crate::types::{IfIndex, MacAddr, NetworkKey, PortKey, Problem, Segmentation, VlanId};

/// A device of this host that carries a logical port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLink {
    /// Its place in the tables.
    pub slot: LinkSlot,
    /// The kernel's index of it.
    pub ifindex: IfIndex,
    /// The id of the logical port.
    pub lport: String,
    /// Whether it is up.
    pub up: bool,
    /// The worker of each of its queues.
    pub queues: Vec<WorkerId>,
    /// Whether its peer may leave checksums partial.
    pub complete_checksums: bool,
}

/// The outcome of [`compile()`].
#[derive(Debug)]
pub struct Compiled {
    /// For the workers.
    pub tables: Tables,
    /// The ports in the tables, by id.
    pub ports: BTreeMap<String, PortReport>,
    /// Records that could not be used.
    pub problems: Vec<Problem>,
}

/// Compiles the tables. Pure but for the counters it takes from `counters`: the same records and links give the same
/// tables, whatever happened before.
#[must_use]
pub fn compile(nb: &Northbound, links: &[LocalLink], counters: &mut CounterBook) -> Compiled {
    let claims = Claims::settle(nb);
    let mut compiler = Compiler {
        nb,
        claims: &claims,
        port_owners: owners_of(nb.lports.values().map(|port| (port.key, port.id.as_str()))),
        network_owners: owners_of(nb.lswitches.values().map(|network| (network.key, network.id.as_str()))),
        networks: BTreeMap::new(),
        tables: Tables::empty(counters.no_port()),
        counters,
        ports: BTreeMap::new(),
        problems: claims.problems.clone(),
    };
    compiler.report_shared_keys();
    for link in links {
        compiler.add_link(link);
    }
    compiler.join_networks();
    Compiled { tables: compiler.tables, ports: compiler.ports, problems: compiler.problems }
}

/// Of the records that share a key, the one with the lowest id has it. Takes them in the order of their ids.
fn owners_of<'a, K: Ord>(records: impl Iterator<Item = (K, &'a str)>) -> BTreeMap<K, &'a str> {
    let mut owners = BTreeMap::new();
    for (key, id) in records {
        owners.entry(key).or_insert(id);
    }
    owners
}

struct Compiler<'a> {
    nb: &'a Northbound,
    claims: &'a Claims<'a>,
    port_owners: BTreeMap<PortKey, &'a str>,
    network_owners: BTreeMap<NetworkKey, &'a str>,
    networks: BTreeMap<&'a str, NetworkSlot>,
    counters: &'a mut CounterBook,
    tables: Tables,
    ports: BTreeMap<String, PortReport>,
    problems: Vec<Problem>,
}

impl<'a> Compiler<'a> {
    fn report_shared_keys(&mut self) {
        for port in self.nb.lports.values() {
            if let Some(owner) = self.port_owners.get(&port.key).filter(|owner| **owner != port.id) {
                self.problems.push(shared_key("lport", &port.id, port.key.get(), owner));
            }
        }
        for network in self.nb.lswitches.values() {
            if let Some(owner) = self.network_owners.get(&network.key).filter(|owner| **owner != network.id) {
                self.problems.push(shared_key("lswitch", &network.id, network.key.get(), owner));
            }
        }
    }

    fn add_link(&mut self, link: &LocalLink) {
        let Some(port) = self.nb.lports.get(&link.lport).filter(|port| self.owns_key(port)) else { return };
        if let Some(segmentation) = self.claims.parent_of(&port.id) {
            let reason = format!(
                "it is a subport of {} by segmentation {}, so the device it also has is left out: remove one of the two",
                segmentation.parent, segmentation.id,
            );
            self.problems.push(Problem::new(format!("lport {}", port.id), reason));
            return;
        }
        let state = match (port.enabled, link.up) {
            (false, _) => PortState::Disabled,
            (true, false) => PortState::LinkDown,
            (true, true) => PortState::Up,
        };
        let exit = Exit { link: link.slot, tags: ArrayVec::new() };
        let slot = self.add_port(port, state, &exit, None);
        let entry = LinkEntry {
            ifindex: link.ifindex,
            port: slot,
            queues: link.queues.clone(),
            complete_checksums: link.complete_checksums,
        };
        let place = usize::from(link.slot.0);
        if self.tables.links.len() <= place {
            self.tables.links.resize_with(place + 1, || None);
        }
        if let Some(link) = self.tables.links.get_mut(place) {
            *link = Some(entry);
        }
    }

    /// Adds a port, and below it its subports, and theirs.
    fn add_port(
        &mut self,
        port: &'a LogicalPort,
        state: PortState,
        exit: &Exit,
        parent: Option<(String, Segmentation)>,
    ) -> PortSlot {
        let slot = PortSlot(self.tables.ports.len() as u32);
        let network = if state == PortState::Up { self.network_of(port) } else { None };
        let state = if state == PortState::Up && network.is_none() { PortState::NoNetwork } else { state };
        self.tables.ports.push(Port {
            key: port.key,
            network,
            exit: exit.clone(),
            subports: None,
            counters: self.counters.port(&port.id),
        });
        self.tables.slots.insert(port.key, slot);
        let subports = self.subports_of(port, state, exit);
        if let Some(entry) = self.tables.ports.get_mut(slot.0 as usize) {
            entry.subports = subports;
        }
        self.ports.insert(port.id.clone(), PortReport { state, parent });
        slot
    }

    fn subports_of(&mut self, parent: &LogicalPort, state: PortState, exit: &Exit) -> Option<Box<VlanTable>> {
        let claims = self.claims;
        let mut table = None;
        for (tag, claim) in claims.of(&parent.id) {
            let Segmentation::Vlan(vid) = tag;
            let meaning = match claim {
                Claim::Subport(child) => self.add_subport((parent, state, exit), child, tag),
                Claim::Unusable => TagMeaning::Unusable,
            };
            table.get_or_insert_with(VlanTable::empty).set(vid, meaning);
        }
        table
    }

    fn add_subport(
        &mut self,
        (parent, parent_state, parent_exit): (&LogicalPort, PortState, &Exit),
        child: &'a LogicalPort,
        tag: Segmentation,
    ) -> TagMeaning {
        let Some(exit) = exit_below(parent_exit, tag) else {
            let reason =
                format!("more than {MAX_NESTING} levels of subports below each other: move it further up");
            self.problems.push(Problem::new(format!("lport {}", child.id), reason));
            return TagMeaning::Unusable;
        };
        if !self.owns_key(child) {
            return TagMeaning::Unusable;
        }
        let state = match (parent_state, child.enabled) {
            (PortState::Up, true) => PortState::Up,
            (PortState::Up, false) => PortState::Disabled,
            _ => PortState::ParentDown,
        };
        TagMeaning::Subport(self.add_port(child, state, &exit, Some((parent.id.clone(), tag))))
    }

    /// The slot of the port's network, made when it is the first port there.
    fn network_of(&mut self, port: &'a LogicalPort) -> Option<NetworkSlot> {
        if let Some(slot) = self.networks.get(port.lswitch.as_str()) {
            return Some(*slot);
        }
        let network = match self.nb.lswitches.get(&port.lswitch) {
            Some(network) if self.network_owners.get(&network.key) == Some(&network.id.as_str()) => network,
            unusable => {
                let reason = match unusable {
                    Some(_) => format!("its network {} is left out for its unique_key", port.lswitch),
                    None => format!(
                        "waits for its network {}, which table lswitch does not have: create it",
                        port.lswitch
                    ),
                };
                self.problems.push(Problem::new(format!("lport {}", port.id), reason));
                return None;
            }
        };
        let slot = NetworkSlot(self.tables.networks.len() as u32);
        self.tables.networks.push(Network { key: network.key, macs: HashMap::new(), flood: Vec::new() });
        self.networks.insert(&port.lswitch, slot);
        Some(slot)
    }

    /// Lets the ports join their networks, in the order of their ids: the order of the links means nothing.
    fn join_networks(&mut self) {
        let nb = self.nb;
        let local: Vec<_> = self.ports.keys().filter_map(|id| nb.lports.get(id)).collect();
        for port in local {
            let Some(slot) = self.tables.slot_of(port.key) else { continue };
            let network = self.tables.port(slot).and_then(|port| port.network);
            let network = network.and_then(|network| self.tables.networks.get_mut(network.0 as usize));
            let Some(network) = network else { continue };
            network.flood.push(slot);
            for &mac in &port.macs {
                if let Some(reason) = network.add_address(mac, slot, &port.lswitch) {
                    self.problems.push(Problem::new(format!("lport {}", port.id), reason));
                }
            }
        }
    }

    fn owns_key(&self, port: &LogicalPort) -> bool {
        self.port_owners.get(&port.key) == Some(&port.id.as_str())
    }
}

impl Network {
    /// Says that `mac` lives at `slot`, or why it does not.
    fn add_address(&mut self, mac: MacAddr, slot: PortSlot, lswitch: &str) -> Option<String> {
        if mac.is_group() {
            return Some(format!(
                "its address {mac} is a group address, no frame will be sent to it: give it a unicast one"
            ));
        }
        let holder = *self.macs.entry(mac).or_insert(slot);
        (holder != slot).then(|| {
            format!(
                "its address {mac} is another port's of network {lswitch} already: give it one of its own"
            )
        })
    }
}

/// The way out through one more tag; `None` when there are too many.
fn exit_below(parent: &Exit, tag: Segmentation) -> Option<Exit> {
    let Segmentation::Vlan(vid) = tag;
    // The subport's own tag is the innermost: it is pushed first.
    let tags: ArrayVec<VlanId, MAX_NESTING> =
        std::iter::once(vid).chain(parent.tags.iter().copied()).take(MAX_NESTING).collect();
    (tags.len() == parent.tags.len() + 1).then_some(Exit { link: parent.link, tags })
}

fn shared_key(table: &str, id: &str, key: u32, owner: &str) -> Problem {
    let reason = format!("its unique_key {key} is {owner}'s already, so it is left out: give it a free one");
    Problem::new(format!("{table} {id}"), reason)
}
