//! The typed records and their collections: parsed, put, removed, found.

use std::collections::BTreeMap;

use super::record_order::in_order;
use super::segmentation_claims::SegmentationClaims;
use crate::nb::rows::{Affected, AnyRow, Collections, remove};
use crate::nb::texts::Texts;
use crate::nb::{
    Change, Chassis, ChildPortSegmentation, Claims, LogicalPort, LogicalSwitch, Record, SecurityGroup,
    Snapshot, Table,
};
use crate::types::{Id, Incumbents, NetworkKey, NetworkSegment, PortKey, Problem};

/// The typed records of the northbound DB, and the holders of what several records claim.
///
/// A record that claims what another one holds waits, whatever its id: a new record takes nothing from one
/// that works. The state depends only on the last version of each record and on the holders of contested
/// claims ([`incumbents`](Self::incumbents)).
///
/// Each collection has the indexes that the compiler requests, so that the cost of a change depends on what
/// it affects, not on the size of the DB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Northbound {
    pub(in crate::nb) collections: Collections,
    pub(super) segmentation_claims: SegmentationClaims,
    /// The networks that claim each segment.
    pub(super) segments: Claims<NetworkSegment>,
    pub(in crate::nb) texts: Texts,
}

/// A change with an effect: the new state of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub(super) table: Table,
    pub(super) id: Id,
    pub(super) now: RecordState,
}

impl Edit {
    /// The record that the change is about.
    #[must_use]
    pub fn about(&self) -> (Table, Id) {
        (self.table, self.id.clone())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum RecordState {
    Absent,
    Invalid(Problem),
    Valid(AnyRow),
}

impl RecordState {
    /// Parses a record; `None` if the datapath does not read its table.
    fn parse(record: &Record) -> Option<Self> {
        Some(match AnyRow::parse(record)? {
            Ok(row) => Self::Valid(row),
            Err(error) => {
                Self::Invalid(Problem::new(format!("{} {}", record.table, record.id), error.to_string()))
            }
        })
    }
}

impl Northbound {
    /// The records of a snapshot. What several records claim goes to the incumbent, else to the lowest id.
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

    /// Applies one change to the records.
    pub fn apply(&mut self, change: &Change) {
        if let Some(edit) = self.edit(change) {
            self.make(edit);
        }
    }

    /// The edit for a change; `None` when it has no effect, as for a table that the datapath does not read.
    #[must_use]
    pub fn edit(&self, change: &Change) -> Option<Edit> {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete { table, id } => self.delete(*table, id),
        }
    }

    /// The edit for a record that is created or changed.
    #[must_use]
    pub fn put(&self, record: &Record) -> Option<Edit> {
        let now = RecordState::parse(record)?;
        let is_same = match &now {
            RecordState::Valid(row) => row.is_in(&self.collections),
            RecordState::Invalid(problem) => self.problem(record.table, &record.id) == Some(problem),
            RecordState::Absent => false,
        };
        (!is_same).then(|| Edit { table: record.table, id: record.id.as_str().into(), now })
    }

    /// The edit for a record that is deleted.
    #[must_use]
    pub fn delete(&self, table: Table, id: &str) -> Option<Edit> {
        let is_there = self.collections.of(table).is_some_and(|collection| collection.contains(id));
        is_there.then(|| Edit { table, id: id.into(), now: RecordState::Absent })
    }

    /// Makes an edit. Returns the other records whose claims are held since then, or no longer.
    pub fn make(&mut self, edit: Edit) -> Vec<(Table, Id)> {
        let Edit { table, id, now } = edit;
        let mut affected = Affected::new();
        let problem = match now {
            RecordState::Valid(row) => {
                row.insert(self, &mut affected);
                None
            }
            RecordState::Absent | RecordState::Invalid(_) => {
                remove(self, table, &id, &mut affected);
                if let RecordState::Invalid(problem) = now { Some(problem) } else { None }
            }
        };
        if let Some(collection) = self.collections.of_mut(table) {
            collection.set_problem(&id, problem);
        }
        affected
    }

    /// Packs the records tightly, as a map that grows in the order of its keys is half empty.
    pub fn compact(&mut self) {
        self.collections.compact();
        self.segmentation_claims.compact();
    }

    /// The ids of all records, valid or not.
    pub fn ids(&self) -> impl Iterator<Item = (Table, &str)> {
        let all = self.collections.all();
        all.flat_map(|collection| collection.ids().map(|id| (collection.table(), id.as_str())))
    }

    /// The networks, by id.
    #[must_use]
    pub const fn lswitches(&self) -> &BTreeMap<Id, LogicalSwitch> {
        self.collections.lswitches.rows()
    }

    /// The hosts, by id.
    #[must_use]
    pub const fn chassis(&self) -> &BTreeMap<Id, Chassis> {
        self.collections.chassis.rows()
    }

    /// The ports, by id.
    #[must_use]
    pub const fn lports(&self) -> &BTreeMap<Id, LogicalPort> {
        self.collections.lports.rows()
    }

    /// The segmentations, by id.
    #[must_use]
    pub const fn segmentations(&self) -> &BTreeMap<Id, ChildPortSegmentation> {
        self.collections.segmentations.rows()
    }

    /// The records that are in none of the maps above, with the reason, by table and id.
    pub fn invalid(&self) -> impl Iterator<Item = (Table, &Id, &Problem)> {
        let all = self.collections.all();
        all.flat_map(|collection| {
            collection.invalid().iter().map(|(id, problem)| (collection.table(), id, problem))
        })
    }

    /// The network that holds this key, of those that claim it.
    #[must_use]
    pub fn lswitch_with_key(&self, key: NetworkKey) -> Option<&LogicalSwitch> {
        self.collections.lswitches.with_key(key)
    }

    /// The port that holds this key, of those that claim it.
    #[must_use]
    pub fn lport_with_key(&self, key: PortKey) -> Option<&LogicalPort> {
        self.collections.lports.with_key(key)
    }

    /// The networks that do not hold their key, each with the holder.
    pub fn lswitches_without_key(&self) -> impl Iterator<Item = (&LogicalSwitch, &Id)> {
        self.collections.lswitches.without_key()
    }

    /// The ports that do not hold their key, each with the holder.
    pub fn lports_without_key(&self) -> impl Iterator<Item = (&LogicalPort, &Id)> {
        self.collections.lports.without_key()
    }

    /// The ports of this network, in the order of their ids.
    pub fn lports_on(&self, lswitch: &str) -> impl Iterator<Item = &LogicalPort> {
        self.collections.lports.having(LogicalPort::ON_LSWITCH, lswitch)
    }

    /// The ports with this security group, in the order of their ids.
    pub fn lports_in(&self, group: &str) -> impl Iterator<Item = &LogicalPort> {
        self.collections.lports.having(LogicalPort::IN_GROUP, group)
    }

    /// The security groups, by id.
    #[must_use]
    pub const fn secgroups(&self) -> &BTreeMap<Id, SecurityGroup> {
        self.collections.secgroups.rows()
    }

    /// Whether the rules of a group are applied to each packet by itself.
    #[must_use]
    pub fn is_stateless(&self, group: &str) -> bool {
        self.collections.stateless_groups.rows().contains_key(group)
    }

    /// The ports that are bound to this chassis, in the order of their ids.
    pub fn lports_at(&self, chassis: &str) -> impl Iterator<Item = &LogicalPort> {
        self.collections.lports.having(LogicalPort::AT_CHASSIS, chassis)
    }

    pub(super) fn problem(&self, table: Table, id: &str) -> Option<&Problem> {
        self.collections.of(table)?.invalid().get(id)
    }
}
