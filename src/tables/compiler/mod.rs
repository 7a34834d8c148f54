//! From records and links to [`Tables`], piece by piece.

mod rebuild;
mod touch;

use std::collections::{BTreeMap, BTreeSet};

use super::claims;
use super::mac_holders::MacHolders;
use super::network::Member;
use super::pairs::PairHolders;
use super::{CounterBook, LinkSlot, LocalLink, NetworkSlot, Policy, PortReport, PortSlot, Tables};
use crate::nb::{Change, Edit, LogicalPort, Northbound, Snapshot, Table, in_order};
use crate::types::{Id, Incumbents, MacAddr, NetworkKey, Problem, SlotAllocator};

/// Keeps [`Tables`] in step with the records and links.
///
/// The tables depend on what the records and links have become and on who holds what several claim, not on the way
/// there: [`compile`](Self::compile) builds every piece again that a change may have touched. A new compiler that is
/// given the [incumbents](Self::incumbents), and then everything at once, makes the same tables but for the numbers of
/// ports and networks.
#[derive(Debug)]
pub struct Compiler {
    policy: Policy,
    northbound: Northbound,
    links: BTreeMap<Id, LocalLink>,
    counters: CounterBook,
    tables: Tables,
    /// Links in the tables, by the ids of their ports.
    pieces: BTreeMap<Id, LinkState>,
    /// Ports in the tables, by id.
    placed: BTreeMap<Id, Placed>,
    /// Networks in the tables, by id.
    networks: BTreeMap<Id, NetworkState>,
    network_slots: SlotAllocator,
    /// Who held contested claims in an earlier run; for the first read.
    incumbents: Incumbents,
    mac_holders: MacHolders,
    touched: Touched,
    /// Networks here where an address of a pair became a port's own, or is no longer one's.
    claimed_networks: BTreeSet<Id>,
    /// The ports of the pieces that were made anew since somebody asked.
    rebuilt: Touched,
}

/// The ids of ports that a change may matter to.
pub type Touched = BTreeSet<Id>;

#[derive(Debug)]
struct LinkState {
    slot: LinkSlot,
    /// The numbers of its ports, by id.
    numbers: BTreeMap<Id, u16>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Placed {
    /// The id of the port that owns the link.
    root: Id,
    /// The id of its network, if it is up.
    network: Option<Id>,
    report: PortReport,
}

#[derive(Debug)]
struct NetworkState {
    key: NetworkKey,
    slot: NetworkSlot,
    members: Members,
    /// Who has each address that pairs of its members name.
    pair_holders: PairHolders,
    problems: Vec<Problem>,
}

/// Ports of a network, by id.
type Members = BTreeMap<Id, Member>;

impl Compiler {
    /// A compiler that knows of nothing, for `workers` workers.
    #[must_use]
    pub fn new(workers: usize, policy: Policy) -> Self {
        let counters = CounterBook::new(workers);
        Self {
            northbound: Northbound::default(),
            links: BTreeMap::new(),
            tables: Tables::empty(counters.no_port()).with(&policy),
            policy,
            counters,
            pieces: BTreeMap::new(),
            placed: BTreeMap::new(),
            networks: BTreeMap::new(),
            network_slots: SlotAllocator::default(),
            incumbents: Incumbents::new(),
            mac_holders: MacHolders::default(),
            touched: Touched::new(),
            claimed_networks: BTreeSet::new(),
            rebuilt: Touched::new(),
        }
    }

    /// Takes the [incumbents](Self::incumbents) of an earlier run, before the first records.
    pub fn remember(&mut self, incumbents: Incumbents) {
        self.mac_holders = MacHolders::of(&incumbents);
        self.incumbents = incumbents;
    }

    /// Who holds what two or more records claim.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let mut incumbents = self.northbound.incumbents();
        incumbents.extend(self.mac_holders.incumbents(&self.northbound));
        incumbents
    }

    /// Replaces the operator's decisions; the next [`compile`](Self::compile) makes every piece anew.
    pub fn set_policy(&mut self, policy: Policy) {
        if self.policy != policy {
            self.tables = self.tables.clone().with(&policy);
            self.policy = policy;
            self.touched.extend(self.links.keys().cloned());
        }
    }

    /// The records.
    #[must_use]
    pub const fn northbound(&self) -> &Northbound {
        &self.northbound
    }

    /// The counters of every port.
    #[must_use]
    pub const fn counters(&self) -> &CounterBook {
        &self.counters
    }

    /// What became of a port; `None` if it hangs on no link of this host.
    #[must_use]
    pub fn report(&self, lport: &str) -> Option<&PortReport> {
        self.placed.get(lport).map(|placed| &placed.report)
    }

    /// Whether a port may send from its own addresses only.
    #[must_use]
    pub fn has_port_security(&self, lport: &str) -> bool {
        self.northbound.lports().get(lport).is_some_and(LogicalPort::has_port_security)
    }

    /// The ports that hang on links of this host, with what became of them.
    pub fn reports(&self) -> impl Iterator<Item = (&str, &PortReport)> {
        self.placed.iter().map(|(lport, placed)| (lport.as_str(), &placed.report))
    }

    /// The port at `slot`.
    #[must_use]
    pub fn port_at(&self, slot: PortSlot) -> Option<&str> {
        let key = self.tables.port(slot)?.key;
        self.northbound.lport_with_key(key).map(|port| port.id.as_str())
    }

    /// The port here that frames to `mac` are delivered to on the network `lswitch`, if there is one.
    #[must_use]
    pub fn holder_of(&self, lswitch: &str, mac: MacAddr) -> Option<&str> {
        let network = self.tables.network(self.networks.get(lswitch)?.slot)?;
        self.port_at(network.receiver(mac)?)
    }

    /// Records that could not be used.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let nb = &self.northbound;
        let keys = |table: &str, id: &str, key: u32, owner: &str| {
            let reason =
                format!("its unique_key {key} is {owner}'s already, so it is left out: give it a free one");
            Problem::new(format!("{table} {id}"), reason)
        };
        let ports = nb.lports_without_key();
        let ports = ports.map(|(port, owner)| keys("lport", &port.id, port.key.get(), owner));
        let networks = nb.lswitches_without_key();
        let networks =
            networks.map(|(network, owner)| keys("lswitch", &network.id, network.key.get(), owner));
        let found = self.pieces.values().flat_map(|piece| &piece.problems);
        let found = found.chain(self.networks.values().flat_map(|network| &network.problems)).cloned();
        let unreadable = nb.unreadable().values().cloned();
        unreadable.chain(claims::problems(nb)).chain(ports).chain(networks).chain(found).collect()
    }

    /// Follows one change of the records.
    pub fn apply(&mut self, change: &Change) {
        if let Some(edit) = self.northbound.edit(change) {
            self.make(edit);
        }
    }

    /// Follows a full read: what it does not have is deleted, the rest is put.
    pub fn replace(&mut self, snapshot: &Snapshot) {
        if self.northbound.ids().next().is_none() {
            // The first read: no port is in the tables, and what may come there hangs on a link or on a port that is
            // bound, which is quicker found than by a look at each record.
            self.northbound = Northbound::from_snapshot(snapshot, &self.incumbents);
            let bound = self.northbound.lports().values().filter(|port| port.chassis.is_some());
            self.touched.extend(bound.map(|port| port.id.clone()).chain(self.links.keys().cloned()));
            self.incumbents = Incumbents::new();
        } else {
            self.replace_by(snapshot);
        }
        self.northbound.compact();
    }

    fn replace_by(&mut self, snapshot: &Snapshot) {
        let mut gone: BTreeSet<_> = self.northbound.ids().collect();
        for record in &snapshot.records {
            gone.remove(&(record.table, record.id.as_str()));
        }
        let gone: Vec<_> =
            gone.into_iter().filter_map(|(table, id)| self.northbound.delete(table, id)).collect();
        for edit in gone {
            self.make(edit);
        }
        for record in in_order(snapshot, &Incumbents::new()) {
            if let Some(edit) = self.northbound.put(record) {
                self.make(edit);
            }
        }
    }

    fn make(&mut self, edit: Edit) {
        let (table, id) = edit.about();
        if table == Table::Lport {
            self.touch_claimed_networks(&id);
        }
        let before = self.northbound.lports().get(&id).filter(|_| table == Table::Lport);
        let before = before.filter(|_| !self.mac_holders.is_empty()).cloned();
        // What depends on the record as it was, and what depends on it as it is.
        touch::touch(&self.northbound, table, &id, &mut self.touched);
        let turned = self.northbound.make(edit);
        touch::touch(&self.northbound, table, &id, &mut self.touched);
        for (table, id) in turned {
            touch::touch(&self.northbound, table, &id, &mut self.touched);
        }
        if table == Table::Lport {
            self.touch_claimed_networks(&id);
        }
        let now = self.northbound.lports().get(&id);
        if let Some(before) = before {
            self.mac_holders.give_up(&before, now);
        }
        if table == Table::Lport && now.is_none() {
            self.counters.forget(&id);
        }
    }

    /// Marks the network of a port, which may be on another host, if a pair there names an own address of the port.
    fn touch_claimed_networks(&mut self, lport: &str) {
        let Some(port) = self.northbound.lports().get(lport) else { return };
        let network = self.networks.get(&port.lswitch);
        if network.is_some_and(|network| port.macs.iter().any(|mac| network.pair_holders.contains_key(mac))) {
            self.claimed_networks.insert(port.lswitch.clone());
        }
    }

    /// Says that a port has a link here, or that its link has changed.
    pub fn set_link(&mut self, link: LocalLink) {
        if self.links.get(&link.lport) != Some(&link) {
            self.touched.insert(link.lport.clone());
            self.links.insert(link.lport.clone(), link);
        }
    }

    /// Says that a port's link is no longer ours.
    pub fn remove_link(&mut self, lport: &str) {
        if self.links.remove(lport).is_some() {
            self.touched.insert(lport.into());
        }
    }

    /// The ports that changes since the last [`compile`](Self::compile) may matter to.
    #[must_use]
    pub const fn touched(&self) -> &Touched {
        &self.touched
    }

    /// The ports whose [`report`](Self::report) may be another one since this was asked last.
    pub fn take_rebuilt(&mut self) -> Touched {
        std::mem::take(&mut self.rebuilt)
    }
}
