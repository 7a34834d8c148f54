//! The northbound DB in memory, as far as the datapath needs it. Pure.

mod holding;
mod incumbents;

pub(crate) use incumbents::in_order;

use std::collections::BTreeMap;

use super::index::{Index, compact};
use super::texts::Texts;
use super::{Change, ChildPortSegmentation, Claims, LogicalPort, LogicalSwitch, Record, Snapshot, Table};
use crate::types::{Id, Incumbents, NetworkKey, PortKey, Problem, Segmentation};

/// The typed picture of the northbound DB, and who holds what several records claim.
///
/// A record that claims what another one holds waits, whatever its id: a newcomer evicts nothing that works. The picture
/// depends on the records' last state and on the holders of contested claims ([`incumbents`](Self::incumbents)) only.
///
/// It is kept with the indexes that the compiler asks, so that the cost of a change depends on what it touches, not
/// on the size of the DB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Northbound {
    lswitches: BTreeMap<Id, LogicalSwitch>,
    lports: BTreeMap<Id, LogicalPort>,
    segmentations: BTreeMap<Id, ChildPortSegmentation>,
    unreadable: BTreeMap<(Table, Id), Problem>,
    lswitches_by_key: Claims<NetworkKey>,
    lports_by_key: Claims<PortKey>,
    lports_by_lswitch: Index<Id>,
    lports_by_chassis: Index<Id>,
    segmentations_by_tag: BTreeMap<Id, Claims<Segmentation>>,
    segmentations_by_port: Claims<Id>,
    texts: Texts,
}

/// A change that changes something: what a record is from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    table: Table,
    id: Id,
    now: State,
}

impl Edit {
    /// The record that it is about.
    #[must_use]
    pub fn about(&self) -> (Table, Id) {
        (self.table, self.id.clone())
    }
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Absent,
    Unreadable(Problem),
    Lswitch(LogicalSwitch),
    Lport(LogicalPort),
    Segmentation(ChildPortSegmentation),
}

impl State {
    /// Reads a record; `None` if it is of a table that the datapath does not need.
    #[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
    fn read(record: &Record) -> Option<Self> {
        let read = match record.table {
            Table::Lswitch => LogicalSwitch::read(record).map(Self::Lswitch),
            Table::Lport => LogicalPort::read(record).map(Self::Lport),
            Table::ChildPortSegmentation => ChildPortSegmentation::read(record).map(Self::Segmentation),
            _ => return None,
        };
        Some(read.unwrap_or_else(|error| {
            Self::Unreadable(Problem::new(format!("{} {}", record.table, record.id), error.to_string()))
        }))
    }
}

impl Northbound {
    /// The picture of a snapshot. What several records claim goes to the incumbent, else to the lowest id.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot, incumbents: &Incumbents) -> Self {
        let mut northbound = Self::default();
        for record in in_order(snapshot, incumbents) {
            if let Some(edit) = northbound.put(record) {
                northbound.make(edit);
            }
        }
        northbound
    }

    /// Follows one change.
    pub fn apply(&mut self, change: &Change) {
        if let Some(edit) = self.edit(change) {
            self.make(edit);
        }
    }

    /// What a change comes to; `None` when it changes nothing, as one of a table that the datapath does not need.
    #[must_use]
    pub fn edit(&self, change: &Change) -> Option<Edit> {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete { table, id } => self.delete(*table, id),
        }
    }

    /// What it comes to when a record is created or changed.
    #[must_use]
    pub fn put(&self, record: &Record) -> Option<Edit> {
        let edit = Edit { table: record.table, id: record.id.as_str().into(), now: State::read(record)? };
        (!self.is(edit.table, &edit.id, &edit.now)).then_some(edit)
    }

    /// What it comes to when a record is deleted.
    #[must_use]
    pub fn delete(&self, table: Table, id: &str) -> Option<Edit> {
        let edit = Edit { table, id: id.into(), now: State::Absent };
        (!self.is(table, id, &State::Absent)).then_some(edit)
    }

    /// Makes an edit. Returns the other records that hold their claims since then, or no longer.
    pub fn make(&mut self, edit: Edit) -> Vec<(Table, Id)> {
        let Edit { table, id, now } = edit;
        if !self.unreadable.is_empty() {
            self.unreadable.remove(&(table, id.clone()));
        }
        match now {
            State::Absent => self.remove(table, &id),
            State::Unreadable(problem) => {
                let turned = self.remove(table, &id);
                self.unreadable.insert((table, id), problem);
                turned
            }
            State::Lswitch(lswitch) => self.put_lswitch(lswitch),
            State::Lport(lport) => self.put_lport(lport),
            State::Segmentation(segmentation) => self.put_segmentation(segmentation),
        }
    }

    /// Packs the records tightly, as a map that grows in the order of its keys is half empty.
    pub fn compact(&mut self) {
        compact(&mut self.lswitches);
        compact(&mut self.lports);
        compact(&mut self.segmentations);
        compact(&mut self.segmentations_by_tag);
        self.lswitches_by_key.compact();
        self.lports_by_key.compact();
        self.lports_by_lswitch.compact();
        self.lports_by_chassis.compact();
        self.segmentations_by_tag.values_mut().for_each(Claims::compact);
        self.segmentations_by_port.compact();
    }

    /// The records that are here, readable or not.
    pub fn ids(&self) -> impl Iterator<Item = (Table, &str)> {
        let lswitches = self.lswitches.keys().map(|id| (Table::Lswitch, id.as_str()));
        let lports = self.lports.keys().map(|id| (Table::Lport, id.as_str()));
        let segmentations = self.segmentations.keys().map(|id| (Table::ChildPortSegmentation, id.as_str()));
        let unreadable = self.unreadable.keys().map(|(table, id)| (*table, id.as_str()));
        lswitches.chain(lports).chain(segmentations).chain(unreadable)
    }

    /// The networks, by id.
    #[must_use]
    pub const fn lswitches(&self) -> &BTreeMap<Id, LogicalSwitch> {
        &self.lswitches
    }

    /// The ports, by id.
    #[must_use]
    pub const fn lports(&self) -> &BTreeMap<Id, LogicalPort> {
        &self.lports
    }

    /// The segmentations, by id.
    #[must_use]
    pub const fn segmentations(&self) -> &BTreeMap<Id, ChildPortSegmentation> {
        &self.segmentations
    }

    /// Why a record of these tables is in none of the maps above, by table and id.
    #[must_use]
    pub const fn unreadable(&self) -> &BTreeMap<(Table, Id), Problem> {
        &self.unreadable
    }

    /// The network that has this key, of those that claim it.
    #[must_use]
    pub fn lswitch_with_key(&self, key: NetworkKey) -> Option<&LogicalSwitch> {
        self.lswitches.get(self.lswitches_by_key.holder(&key)?)
    }

    /// The port that has this key, of those that claim it.
    #[must_use]
    pub fn lport_with_key(&self, key: PortKey) -> Option<&LogicalPort> {
        self.lports.get(self.lports_by_key.holder(&key)?)
    }

    /// The networks whose key another one has, and that one.
    pub fn lswitches_without_key(&self) -> impl Iterator<Item = (&LogicalSwitch, &Id)> {
        self.lswitches_by_key.waiting().filter_map(|(id, holder)| Some((self.lswitches.get(id)?, holder)))
    }

    /// The ports whose key another one has, and that one.
    pub fn lports_without_key(&self) -> impl Iterator<Item = (&LogicalPort, &Id)> {
        self.lports_by_key.waiting().filter_map(|(id, holder)| Some((self.lports.get(id)?, holder)))
    }

    /// The ports that say they are on this network, in the order of their ids.
    pub fn lports_on(&self, lswitch: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_lswitch.get(lswitch).filter_map(|id| self.lports.get(id))
    }

    /// The ports that are bound to this chassis, in the order of their ids.
    pub fn lports_at(&self, chassis: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_chassis.get(chassis).filter_map(|id| self.lports.get(id))
    }

    /// Whether this is what is known of a record.
    #[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
    fn is(&self, table: Table, id: &str, state: &State) -> bool {
        if let Some(problem) = self.problem(table, id) {
            return matches!(state, State::Unreadable(other) if other == problem);
        }
        match (table, state) {
            (Table::Lswitch, State::Lswitch(lswitch)) => self.lswitches.get(id) == Some(lswitch),
            (Table::Lport, State::Lport(lport)) => self.lports.get(id) == Some(lport),
            (Table::ChildPortSegmentation, State::Segmentation(segmentation)) => {
                self.segmentations.get(id) == Some(segmentation)
            }
            (Table::Lswitch, State::Absent) => !self.lswitches.contains_key(id),
            (Table::Lport, State::Absent) => !self.lports.contains_key(id),
            (Table::ChildPortSegmentation, State::Absent) => !self.segmentations.contains_key(id),
            (_, State::Absent) => true,
            _ => false,
        }
    }

    /// Why a record is not among the others.
    fn problem(&self, table: Table, id: &str) -> Option<&Problem> {
        // There hardly ever is one, and looking for it takes a copy of the id.
        if self.unreadable.is_empty() { None } else { self.unreadable.get(&(table, id.into())) }
    }

    fn put_lswitch(&mut self, mut lswitch: LogicalSwitch) -> Vec<(Table, Id)> {
        self.texts.share(&mut lswitch.id);
        let mut turned = Vec::new();
        if let Some(before) = self.lswitches.get(&lswitch.id).filter(|before| before.key != lswitch.key) {
            let heir = self.lswitches_by_key.remove_and_pass_on(&before.key, &lswitch.id);
            turned.extend(heir.map(|heir| (Table::Lswitch, heir)));
        }
        self.lswitches_by_key.insert(lswitch.key, lswitch.id.clone());
        self.lswitches.insert(lswitch.id.clone(), lswitch);
        turned
    }

    fn put_lport(&mut self, mut lport: LogicalPort) -> Vec<(Table, Id)> {
        self.texts.share(&mut lport.id);
        self.texts.share(&mut lport.lswitch);
        if let Some(chassis) = &mut lport.chassis {
            self.texts.share(chassis);
        }
        let id = lport.id.clone();
        let mut turned = Vec::new();
        let before = self.lports.remove(&id);
        if let Some(before) = &before {
            self.ungroup(before);
            if before.key != lport.key {
                let heir = self.lports_by_key.remove_and_pass_on(&before.key, &id);
                turned.extend(heir.map(|heir| (Table::Lport, heir)));
            }
        }
        self.lports_by_key.insert(lport.key, id.clone());
        self.lports_by_lswitch.insert(lport.lswitch.clone(), id.clone());
        if let Some(chassis) = &lport.chassis {
            self.lports_by_chassis.insert(chassis.clone(), id.clone());
        }
        self.lports.insert(id.clone(), lport);
        if before.is_none() {
            self.hold_with(&id, &mut turned);
        }
        turned
    }

    /// Takes a port out of the groups that it is in.
    fn ungroup(&mut self, lport: &LogicalPort) {
        self.lports_by_lswitch.remove(&lport.lswitch, &lport.id);
        if let Some(chassis) = &lport.chassis {
            self.lports_by_chassis.remove(chassis, &lport.id);
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
    fn remove(&mut self, table: Table, id: &Id) -> Vec<(Table, Id)> {
        let mut turned = Vec::new();
        match table {
            Table::Lswitch => {
                if let Some(lswitch) = self.lswitches.remove(id) {
                    let heir = self.lswitches_by_key.remove_and_pass_on(&lswitch.key, id);
                    turned.extend(heir.map(|heir| (Table::Lswitch, heir)));
                }
            }
            Table::Lport => {
                let without = self.held_with(id);
                if let Some(lport) = self.lports.remove(id) {
                    self.ungroup(&lport);
                    let heir = self.lports_by_key.remove_and_pass_on(&lport.key, id);
                    turned.extend(heir.map(|heir| (Table::Lport, heir)));
                    self.release(without, &mut turned);
                }
            }
            Table::ChildPortSegmentation => self.remove_segmentation(id, &mut turned),
            _ => {}
        }
        turned
    }
}

#[cfg(test)]
mod tests;
