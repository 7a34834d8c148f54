//! What is not on disk yet. A newer state of a record replaces the older one, so that a disk that hangs or fails makes this no
//! longer than the DB.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::nb::{Change, ChangeSet, Revision, Snapshot, Table};

/// Records with a change that are held beside a snapshot, at most.
const MOST_CHANGES: usize = 100_000;

/// The newest state of each record that has one to be written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// All records; written before the changes.
    pub snapshot: Option<Snapshot>,
    /// By table and id.
    pub changes: BTreeMap<(Table, String), Change>,
    /// The revision that the changes lead to.
    pub revision: Option<Revision>,
    /// When the records were last known to be these.
    pub confirmed: Option<SystemTime>,
    /// Changes were dropped: what is on disk cannot be used until the next snapshot is written.
    pub gap: bool,
}

impl Pending {
    /// Replaces everything.
    pub fn add_snapshot(&mut self, snapshot: Snapshot, now: SystemTime) {
        *self = Self { snapshot: Some(snapshot), confirmed: Some(now), ..Self::default() };
    }

    /// Adds changes.
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

    /// Adds what came after this.
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
        if self.gap || self.changes.len() > MOST_CHANGES {
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
        for number in 0..=MOST_CHANGES {
            pending.add_changes(delete(number as u64, &number.to_string()), UNIX_EPOCH);
        }
        assert!(pending.gap && pending.changes.is_empty());
        pending.add_changes(delete(1, "a"), UNIX_EPOCH);
        assert!(pending.gap && pending.changes.is_empty());
        pending.add_snapshot(Snapshot::default(), UNIX_EPOCH);
        assert!(!pending.gap);
    }
}
