//! The northbound DB in memory, as far as the datapath needs it. Pure.

use std::collections::BTreeMap;

use super::{
    Change, ChildPortSegmentation, LogicalPort, LogicalSwitch, Record, RecordError, Snapshot, Table,
};
use crate::types::Problem;

/// The typed picture of the northbound DB. Depends only on the records' last state, not on the order of changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Northbound {
    /// The networks, by id.
    pub lswitches: BTreeMap<String, LogicalSwitch>,
    /// The ports, by id.
    pub lports: BTreeMap<String, LogicalPort>,
    /// The segmentations, by id.
    pub segmentations: BTreeMap<String, ChildPortSegmentation>,
    /// Why a record of these tables is in none of the maps above, by table and id.
    pub unreadable: BTreeMap<(Table, String), Problem>,
}

impl Northbound {
    /// The picture of a snapshot.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        let mut northbound = Self::default();
        for record in &snapshot.records {
            northbound.put(record);
        }
        northbound
    }

    /// Follows one change. A change to a table that the datapath does not need changes nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete { table, id } => self.remove(*table, id),
        }
    }

    fn put(&mut self, record: &Record) {
        self.remove(record.table, &record.id);
        if let Err(error) = self.read(record) {
            let problem = Problem::new(format!("{} {}", record.table, record.id), error.to_string());
            self.unreadable.insert((record.table, record.id.clone()), problem);
        }
    }

    fn read(&mut self, record: &Record) -> Result<(), RecordError> {
        let id = || record.id.clone();
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "a table more is one more that the datapath ignores"
        )]
        match record.table {
            Table::Lswitch => drop(self.lswitches.insert(id(), LogicalSwitch::read(record)?)),
            Table::Lport => drop(self.lports.insert(id(), LogicalPort::read(record)?)),
            Table::ChildPortSegmentation => {
                drop(self.segmentations.insert(id(), ChildPortSegmentation::read(record)?));
            }
            _ => {}
        }
        Ok(())
    }

    fn remove(&mut self, table: Table, id: &str) {
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "a table more is one more that the datapath ignores"
        )]
        match table {
            Table::Lswitch => drop(self.lswitches.remove(id)),
            Table::Lport => drop(self.lports.remove(id)),
            Table::ChildPortSegmentation => drop(self.segmentations.remove(id)),
            _ => return,
        }
        self.unreadable.remove(&(table, id.to_owned()));
    }
}
