//! The changes that are not on disk yet. A newer state of a record replaces the older one, so that with a
//! disk that hangs or fails there are no more of them than records in the DB.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::nb::{Change, ChangeSet, Revision, Snapshot, Table};

/// Upper bound of the records with a change beside a snapshot.
const MAX_CHANGES: usize = 100_000;

/// The newest state of each record that has to be written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// All records, which are written before the changes.
    pub snapshot: Option<Snapshot>,
    /// The changes by table and id of the record.
    pub changes: BTreeMap<(Table, String), Change>,
    /// The revision that the changes lead to.
    pub revision: Option<Revision>,
    /// When the NB DB last confirmed these records.
    pub confirmed: Option<SystemTime>,
    /// Whether changes were dropped: then the copy is useless until the next snapshot is written.
    pub gap: bool,
}

impl Pending {
    /// Replaces all pending changes by a snapshot.
    pub fn add_snapshot(&mut self, snapshot: Snapshot, now: SystemTime) {
        *self = Self { snapshot: Some(snapshot), confirmed: Some(now), ..Self::default() };
    }

    /// Adds the changes of a transaction.
    pub fn add_changes(&mut self, set: ChangeSet, now: SystemTime) {
        for change in set.changes {
            let key = match &change {
                Change::Put(record) => (record.table, record.id.clone()),
                Change::Delete { table, id } => (*table, id.clone()),
            };
            self.changes.insert(key, change);
        }
        (self.revision, self.confirmed) = (Some(set.revision), Some(now));
        self.limit();
    }

    /// Adds later changes to these.
    pub fn append(&mut self, newer: Self) {
        if newer.snapshot.is_some() {
            *self = newer;
            return;
        }
        self.changes.extend(newer.changes);
        self.revision = newer.revision.or(self.revision);
        self.confirmed = newer.confirmed.or(self.confirmed);
        self.gap |= newer.gap;
        self.limit();
    }

    fn limit(&mut self) {
        if self.gap || self.changes.len() > MAX_CHANGES {
            *self = Self { gap: true, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn delete(revision: u64, id: &str) -> ChangeSet {
        let change = Change::Delete { table: Table::Lport, id: id.to_owned() };
        ChangeSet { revision: Revision(revision), changes: vec![change] }
    }

    #[test]
    fn the_newest_state_of_a_record_is_held_once() {
        let mut pending = Pending::default();
        for revision in 1..=1000 {
            pending.add_changes(delete(revision, "a"), UNIX_EPOCH);
        }
        assert_eq!((pending.changes.len(), pending.revision), (1, Some(Revision(1000))));
        let mut failed = std::mem::take(&mut pending);
        pending.add_changes(delete(1001, "b"), UNIX_EPOCH);
        failed.append(pending);
        assert_eq!((failed.changes.len(), failed.revision), (2, Some(Revision(1001))));
    }

    #[test]
    fn too_many_records_leave_a_gap_until_a_snapshot() {
        let mut pending = Pending::default();
        for number in 0..=MAX_CHANGES {
            pending.add_changes(delete(number as u64, &number.to_string()), UNIX_EPOCH);
        }
        assert!(pending.gap && pending.changes.is_empty());
        pending.add_changes(delete(1, "a"), UNIX_EPOCH);
        assert!(pending.gap && pending.changes.is_empty());
        pending.add_snapshot(Snapshot::default(), UNIX_EPOCH);
        assert!(!pending.gap);
    }
}
