//! The northbound DB in memory, as far as the datapath needs it. Pure.

use std::collections::BTreeMap;

use super::index::{Index, compact};
use super::texts::Texts;
use super::{Change, ChildPortSegmentation, LogicalPort, LogicalSwitch, Record, Snapshot, Table};
use crate::types::{Id, NetworkKey, PortKey, Problem, Segmentation};

/// The typed picture of the northbound DB. Depends only on the records' last state, not on the order of changes.
///
/// It is kept with the indexes that the compiler asks, so that the cost of a change depends on what it touches, not
/// on the size of the DB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Northbound {
    lswitches: BTreeMap<Id, LogicalSwitch>,
    lports: BTreeMap<Id, LogicalPort>,
    segmentations: BTreeMap<Id, ChildPortSegmentation>,
    unreadable: BTreeMap<(Table, Id), Problem>,
    lswitches_by_key: Index<NetworkKey>,
    lports_by_key: Index<PortKey>,
    lports_by_lswitch: Index<Id>,
    lports_by_chassis: Index<Id>,
    segmentations_by_tag: BTreeMap<Id, Index<Segmentation>>,
    segmentations_by_port: Index<Id>,
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
    /// The picture of a snapshot.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        let mut northbound = Self::default();
        for record in &snapshot.records {
            northbound.follow(northbound.put(record));
        }
        northbound
    }

    /// Follows one change.
    pub fn apply(&mut self, change: &Change) {
        self.follow(self.edit(change));
    }

    fn follow(&mut self, edit: Option<Edit>) {
        if let Some(edit) = edit {
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

    /// Makes an edit.
    pub fn make(&mut self, edit: Edit) {
        let Edit { table, id, now } = edit;
        self.remove(table, &id);
        match now {
            State::Absent => {}
            State::Unreadable(problem) => drop(self.unreadable.insert((table, id), problem)),
            State::Lswitch(lswitch) => self.insert_lswitch(lswitch),
            State::Lport(lport) => self.insert_lport(lport),
            State::Segmentation(segmentation) => self.insert_segmentation(segmentation),
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
        self.segmentations_by_tag.values_mut().for_each(Index::compact);
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

    /// The networks with this key, in the order of their ids. There should be one.
    pub fn lswitches_with_key(&self, key: NetworkKey) -> impl Iterator<Item = &LogicalSwitch> {
        self.lswitches_by_key.get(&key).filter_map(|id| self.lswitches.get(id))
    }

    /// The ports with this key, in the order of their ids. There should be one.
    pub fn lports_with_key(&self, key: PortKey) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_key.get(&key).filter_map(|id| self.lports.get(id))
    }

    /// The ports that say they are on this network, in the order of their ids.
    pub fn lports_on(&self, lswitch: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_lswitch.get(lswitch).filter_map(|id| self.lports.get(id))
    }

    /// The ports that are bound to this chassis, in the order of their ids.
    pub fn lports_at(&self, chassis: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_chassis.get(chassis).filter_map(|id| self.lports.get(id))
    }

    /// The segmentations that name `lport` as parent, in the order of their tags.
    pub fn segmentations_below(&self, lport: &str) -> impl Iterator<Item = &ChildPortSegmentation> {
        let ids = self.segmentations_by_tag.get(lport).into_iter().flat_map(Index::ids);
        ids.filter_map(|id| self.segmentations.get(id))
    }

    /// The segmentations that claim `tag` of `lport`, in the order of their ids. There should be one at the most.
    pub fn segmentations_with(
        &self,
        lport: &str,
        tag: Segmentation,
    ) -> impl Iterator<Item = &ChildPortSegmentation> {
        let ids = self.segmentations_by_tag.get(lport).map(|tags| tags.get(&tag));
        ids.into_iter().flatten().filter_map(|id| self.segmentations.get(id))
    }

    /// The segmentations that name `lport` as subport, in the order of their ids. There should be one at the most.
    pub fn segmentations_above(&self, lport: &str) -> impl Iterator<Item = &ChildPortSegmentation> {
        self.segmentations_by_port.get(lport).filter_map(|id| self.segmentations.get(id))
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

    fn insert_lswitch(&mut self, mut lswitch: LogicalSwitch) {
        self.texts.share(&mut lswitch.id);
        self.lswitches_by_key.insert(lswitch.key, lswitch.id.clone());
        self.lswitches.insert(lswitch.id.clone(), lswitch);
    }

    fn insert_lport(&mut self, mut lport: LogicalPort) {
        self.texts.share(&mut lport.id);
        self.texts.share(&mut lport.lswitch);
        self.lports_by_key.insert(lport.key, lport.id.clone());
        self.lports_by_lswitch.insert(lport.lswitch.clone(), lport.id.clone());
        if let Some(chassis) = &mut lport.chassis {
            self.texts.share(chassis);
            self.lports_by_chassis.insert(chassis.clone(), lport.id.clone());
        }
        self.lports.insert(lport.id.clone(), lport);
    }

    fn insert_segmentation(&mut self, mut segmentation: ChildPortSegmentation) {
        self.texts.share(&mut segmentation.parent);
        self.texts.share(&mut segmentation.port);
        let tags = self.segmentations_by_tag.entry(segmentation.parent.clone()).or_default();
        tags.insert(segmentation.segmentation, segmentation.id.clone());
        self.segmentations_by_port.insert(segmentation.port.clone(), segmentation.id.clone());
        self.segmentations.insert(segmentation.id.clone(), segmentation);
    }

    fn remove(&mut self, table: Table, id: &str) {
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "a table more is one more that the datapath ignores"
        )]
        match table {
            Table::Lswitch => {
                if let Some(lswitch) = self.lswitches.remove(id) {
                    self.lswitches_by_key.remove(&lswitch.key, id);
                }
            }
            Table::Lport => {
                if let Some(lport) = self.lports.remove(id) {
                    self.lports_by_key.remove(&lport.key, id);
                    self.lports_by_lswitch.remove(&lport.lswitch, id);
                    if let Some(chassis) = &lport.chassis {
                        self.lports_by_chassis.remove(chassis, id);
                    }
                }
            }
            Table::ChildPortSegmentation => {
                if let Some(segmentation) = self.segmentations.remove(id) {
                    if let Some(tags) = self.segmentations_by_tag.get_mut(&segmentation.parent) {
                        tags.remove(&segmentation.segmentation, id);
                        if tags.is_empty() {
                            self.segmentations_by_tag.remove(&segmentation.parent);
                        }
                    }
                    self.segmentations_by_port.remove(&segmentation.port, id);
                }
            }
            _ => return,
        }
        if !self.unreadable.is_empty() {
            self.unreadable.remove(&(table, id.into()));
        }
    }
}

#[cfg(test)]
mod tests;
