//! Compilation of [`Tables`] from records and links, incremental by link and network.

mod dirty;
mod findings;
mod groups;
mod host;
mod peers;
mod rebuild;
mod remote;
mod uplinks;

use std::collections::{BTreeMap, BTreeSet};

use super::claims::root_of;
use super::mac_holders::MacHolders;
use super::network::{Member, Segment};
use super::pairs::PairHolders;
use super::{
    CounterBook, LinkSlot, LocalLink, MAX_NESTING, NetworkSlot, Policy, PortReport, PortSlot, Tables,
};
use crate::nb::{Change, Edit, LogicalPort, Northbound, Snapshot, Table, in_order};
use crate::types::{Id, Incumbents, LinkRole, MacAddr, NetworkKey, Problem, SlotAllocator};

pub use dirty::PortIds;
pub use host::Host;
pub use peers::{UnderlayPath, UnderlayPaths};
pub use uplinks::Steering;

use groups::Groups;
use peers::Peers;
use remote::RemotePort;
use uplinks::UplinkState;

/// Compiles [`Tables`] from the records and links, and again after changes.
///
/// The tables depend on the present records and links and on the holders of contested claims, not on the
/// sequence of changes: [`compile`](Self::compile) builds the table of each link that a change may concern
/// from scratch. A new compiler that receives the [incumbents](Self::incumbents), and then everything at
/// once, makes equal tables except for the numbers of ports and networks.
#[derive(Debug)]
pub struct Compiler {
    policy: Policy,
    host: Host,
    northbound: Northbound,
    links: BTreeMap<Id, LocalLink>,
    counters: CounterBook,
    tables: Tables,
    /// Links in the tables, by the ids of the ports that own them.
    compiled_links: BTreeMap<Id, LinkState>,
    /// Ports in the tables, by id.
    placed: BTreeMap<Id, Placed>,
    /// Networks in the tables, by id.
    networks: BTreeMap<Id, NetworkState>,
    network_slots: SlotAllocator,
    /// Holders of contested claims in an earlier run; for the first snapshot.
    incumbents: Incumbents,
    mac_holders: MacHolders,
    /// The ports of other hosts, by id.
    remote_ports: BTreeMap<Id, RemotePort>,
    peers: Peers,
    groups: Groups,
    /// The open uplinks, by name.
    uplinks: BTreeMap<Id, UplinkState>,
    /// Whether the frames that uplinks receive may differ from those before.
    uplinks_changed: bool,
    dirty: PortIds,
    /// Networks with a port here in which an address of a pair became, or no longer is, the own address of a
    /// port.
    dirty_networks: BTreeSet<Id>,
    /// The ports of links that were compiled since the last [`take_rebuilt`](Self::take_rebuilt).
    rebuilt: PortIds,
}

#[derive(Debug)]
struct LinkState {
    slot: LinkSlot,
    /// Numbers of its ports, by their ids.
    numbers: BTreeMap<Id, u16>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Placed {
    /// The id of the port that owns the link.
    root: Id,
    /// The id of its network; `None` while it is down.
    network: Option<Id>,
    report: PortReport,
}

#[derive(Debug)]
struct NetworkState {
    key: NetworkKey,
    slot: NetworkSlot,
    members: Members,
    /// The holder of each address in a pair of its members.
    pair_holders: PairHolders,
    segment: Option<Segment>,
    problems: Vec<Problem>,
}

/// Ports of a network, by their ids.
type Members = BTreeMap<Id, Member>;

impl Compiler {
    /// A compiler without records and links, for `workers` workers.
    #[must_use]
    pub fn new(workers: usize, policy: Policy) -> Self {
        let counters = CounterBook::new(workers);
        Self {
            northbound: Northbound::default(),
            links: BTreeMap::new(),
            tables: Tables::empty(counters.no_port()).with(&policy),
            policy,
            host: Host::default(),
            remote_ports: BTreeMap::new(),
            peers: Peers::default(),
            groups: Groups::default(),
            uplinks: BTreeMap::new(),
            uplinks_changed: false,
            counters,
            compiled_links: BTreeMap::new(),
            placed: BTreeMap::new(),
            networks: BTreeMap::new(),
            network_slots: SlotAllocator::default(),
            incumbents: Incumbents::new(),
            mac_holders: MacHolders::default(),
            dirty: PortIds::new(),
            dirty_networks: BTreeSet::new(),
            rebuilt: PortIds::new(),
        }
    }

    /// Sets the [incumbents](Self::incumbents) of an earlier run. Must be called before the first snapshot.
    pub fn set_incumbents(&mut self, incumbents: Incumbents) {
        self.mac_holders = MacHolders::of(&incumbents);
        self.peers.set_incumbents(&incumbents);
        self.incumbents = incumbents;
    }

    /// The holders of claims that two or more records make.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let mut incumbents = self.northbound.incumbents();
        incumbents.extend(self.mac_holders.incumbents(&self.northbound));
        incumbents.extend(self.peers.incumbents());
        incumbents
    }

    /// Replaces the policy; the next [`compile`](Self::compile) builds every link again.
    pub fn set_policy(&mut self, policy: Policy) {
        if self.policy != policy {
            self.tables = self.tables.clone().with(&policy);
            self.policy = policy;
            self.dirty.extend(self.links.keys().cloned());
        }
    }

    /// The records as they are after the last change.
    #[must_use]
    pub const fn northbound(&self) -> &Northbound {
        &self.northbound
    }

    /// The counters of every port.
    #[must_use]
    pub const fn counters(&self) -> &CounterBook {
        &self.counters
    }

    /// The state of a port; `None` if no link of this host carries it.
    #[must_use]
    pub fn report(&self, lport: &str) -> Option<&PortReport> {
        self.placed.get(lport).map(|placed| &placed.report)
    }

    /// Whether anti-spoofing applies to a port.
    #[must_use]
    pub fn has_port_security(&self, lport: &str) -> bool {
        self.northbound.lports().get(lport).is_some_and(LogicalPort::has_port_security)
    }

    /// The ports that links of this host carry, with their states.
    pub fn reports(&self) -> impl Iterator<Item = (&str, &PortReport)> {
        self.placed.iter().map(|(lport, placed)| (lport.as_str(), &placed.report))
    }

    /// The id of the port at `slot`.
    #[must_use]
    pub fn port_at(&self, slot: PortSlot) -> Option<&str> {
        let key = self.tables.port(slot)?.identity.port()?;
        self.northbound.lport_with_key(key).map(|port| port.id.as_str())
    }

    /// The port here that receives frames to `mac` on the network `lswitch`, if there is one.
    #[must_use]
    pub fn holder_of(&self, lswitch: &str, mac: MacAddr) -> Option<&str> {
        let network = self.tables.network(self.networks.get(lswitch)?.slot)?;
        self.port_at(network.receiver(mac)?)
    }

    /// Applies one change of the records.
    pub fn apply_change(&mut self, change: &Change) {
        if let Some(edit) = self.northbound.edit(change) {
            self.apply_edit(edit);
        }
    }

    /// Makes the records equal to a snapshot.
    pub fn apply_snapshot(&mut self, snapshot: &Snapshot) {
        if self.northbound.ids().next().is_none() {
            // The tables have no ports yet, and each future one belongs to a bound port or to a port with a
            // link: faster than `apply_edit` of each record.
            self.northbound = Northbound::from_snapshot(snapshot, &self.incumbents);
            let bound = self.northbound.lports().values().filter(|port| port.binding.is_some());
            self.dirty.extend(bound.map(|port| port.id.clone()).chain(self.links.keys().cloned()));
            let chassis = self.northbound.chassis().keys();
            chassis.for_each(|chassis| self.peers.mark_chassis(chassis));
            self.incumbents = Incumbents::new();
        } else {
            self.apply_differences(snapshot);
        }
        self.northbound.compact();
    }

    fn apply_differences(&mut self, snapshot: &Snapshot) {
        let mut missing: BTreeSet<_> = self.northbound.ids().collect();
        for record in &snapshot.records {
            missing.remove(&(record.table, record.id.as_str()));
        }
        let deletions: Vec<_> =
            missing.into_iter().filter_map(|(table, id)| self.northbound.delete(table, id)).collect();
        for edit in deletions {
            self.apply_edit(edit);
        }
        for record in in_order(snapshot, &Incumbents::new()) {
            if let Some(edit) = self.northbound.put(record) {
                self.apply_edit(edit);
            }
        }
    }

    fn apply_edit(&mut self, edit: Edit) {
        let (table, id) = edit.about();
        if table == Table::Lport {
            self.mark_claimed_network(&id);
        }
        let before = self.northbound.lports().get(&id).filter(|_| table == Table::Lport);
        let membership = before.and_then(|port| port.membership.clone());
        let before = before.filter(|_| !self.mac_holders.is_empty()).cloned();
        if table == Table::Chassis {
            self.peers.mark_chassis(&id);
        } else if table == Table::Lswitch {
            self.dirty_networks.insert(id.clone());
        } else if matches!(table, Table::SecurityGroup | Table::StatelessGroup) {
            self.groups.mark(id.clone());
        }
        // Marks what depends on the record before the edit, and what depends on it after.
        dirty::mark(&self.northbound, table, &id, &mut self.dirty);
        let turned = self.northbound.make(edit);
        dirty::mark(&self.northbound, table, &id, &mut self.dirty);
        for (table, id) in turned {
            dirty::mark(&self.northbound, table, &id, &mut self.dirty);
            if table == Table::Lswitch {
                self.dirty_networks.insert(id);
            }
        }
        if table == Table::Lport {
            self.mark_claimed_network(&id);
        }
        let now = self.northbound.lports().get(&id).filter(|_| table == Table::Lport);
        let now_in = now.and_then(|port| port.membership.as_deref());
        self.groups.change_membership(membership.as_deref(), now_in);
        if let Some(before) = before {
            self.mac_holders.release(&before, now);
        }
        if table == Table::Lport && now.is_none() {
            self.counters.remove(&id);
        }
    }

    /// Marks the network of a port, which may be on another host, if a pair there contains an own address of
    /// the port.
    fn mark_claimed_network(&mut self, lport: &str) {
        let Some(port) = self.northbound.lports().get(lport) else { return };
        let network = self.networks.get(&port.lswitch);
        if network.is_some_and(|network| port.macs.iter().any(|mac| network.pair_holders.contains_key(mac))) {
            self.dirty_networks.insert(port.lswitch.clone());
        }
    }

    /// Adds the link of a port, or replaces it.
    pub fn set_link(&mut self, link: LocalLink) {
        match link.role.clone() {
            LinkRole::Port(lport) if self.links.get(&lport) == Some(&link) => {}
            LinkRole::Port(lport) => {
                self.dirty.insert(lport.clone());
                self.links.insert(lport, link);
            }
            LinkRole::Uplink(name) => self.set_uplink(&name, link),
        }
    }

    /// Removes the link of a port.
    pub fn remove_link(&mut self, role: &LinkRole) {
        match role {
            LinkRole::Port(lport) => {
                if self.links.remove(lport).is_some() {
                    self.dirty.insert(lport.clone());
                }
            }
            LinkRole::Uplink(name) => self.remove_uplink(name),
        }
    }

    /// The port that owns the link of a port, according to the records.
    #[must_use]
    pub fn link_owner<'a>(&'a self, lport: &'a str) -> Option<&'a str> {
        root_of(&self.northbound, lport)
    }

    /// Whether the port that owns a link, or a subport on it, is filtered.
    #[must_use]
    pub fn filters_link_of(&self, owner: &Id) -> bool {
        let mut ports = BTreeSet::new();
        remote::add_with_subports(&self.northbound, owner, MAX_NESTING, &mut ports);
        let records = ports.iter().filter_map(|lport| self.northbound.lports().get(lport));
        records.into_iter().any(|port| port.is_filtered)
    }

    /// The ports that changes since the last [`compile`](Self::compile) may concern.
    #[must_use]
    pub const fn dirty(&self) -> &PortIds {
        &self.dirty
    }

    /// Whether the tables may differ from those of the last [`compile`](Self::compile).
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
            || !self.dirty_networks.is_empty()
            || self.has_dirty_peers()
            || self.groups.is_dirty()
            || self.uplinks_changed
    }

    /// The ports whose [`report`](Self::report) may have changed since the last call of this function.
    pub fn take_rebuilt(&mut self) -> PortIds {
        std::mem::take(&mut self.rebuilt)
    }
}
