//! The position of a handle in the history of the store, with evidence that the store still has the same
//! history.
//!
//! A cluster that is wiped and set up again with the same configuration keeps its id, and so does one that is
//! restored from a backup; in both the revisions continue from an earlier one. Once they exceed the last
//! revision that was delivered, no answer shows the difference. So one record is kept with the revision of
//! its last change: at the last delivered revision it must be unchanged.

use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::Layout;
use crate::nb::{Change, ChangeSet, RecordId};

#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    pub delivered: i64,
    /// The revision up to which there is nothing more to deliver.
    pub seen: i64,
    /// The id of the cluster, after the first answer.
    pub cluster_id: Option<u64>,
    /// A record that exists at that point, if one is known.
    pub witness: Option<Witness>,
}

/// A key and the revision of its last change.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    pub key: String,
    pub written: i64,
}

impl Followed {
    /// A point with nothing but its revision.
    pub fn at(revision: i64) -> Self {
        Self { delivered: revision, seen: revision, cluster_id: None, witness: None }
    }

    /// Advances the position by a delivered transaction.
    pub fn advance(&mut self, layout: &Layout, set: &ChangeSet) {
        self.delivered = set.revision.0.cast_signed();
        for change in &set.changes {
            match change {
                Change::Put(record) => {
                    let key = layout.record(&RecordId { table: record.table, id: record.id.clone() });
                    self.witness = Some(Witness { key, written: self.delivered });
                }
                Change::Delete { table, id } => {
                    let key = layout.record(&RecordId { table: *table, id: id.clone() });
                    self.witness = self.witness.take().filter(|witness| witness.key != key);
                }
            }
        }
    }
}

/// The last position of a handle, reached by a snapshot or a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Followed>>);

impl History {
    pub fn set(&self, followed: Followed) {
        *self.0.lock() = followed;
    }

    /// The position after the transaction with this revision.
    pub fn after(&self, revision: i64) -> Followed {
        let last = self.0.lock().clone();
        if last.delivered == revision { last } else { Followed::at(revision) }
    }
}
