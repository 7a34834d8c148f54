//! How far a handle has followed the store's history, and by what to tell whether the store still has that history.
//!
//! A cluster that was wiped and set up again by the same configuration has the same id, and one that was restored from a
//! backup has it too; both count their revisions on from an earlier one. Once they have passed the last one that
//! we know, no answer tells. So a record is remembered with the revision that wrote it: at the last
//! revision that we know it must still be the one.

use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::Layout;
use crate::nb::{Change, ChangeSet, RecordId};

/// A point in a history.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// The last revision that was delivered.
    pub delivered: i64,
    /// Up to this one there was nothing more to deliver.
    pub seen: i64,
    /// The cluster, once known.
    pub cluster_id: Option<u64>,
    /// A record that is there at that point, if one is known.
    pub witness: Option<Witness>,
}

/// A key and the revision that wrote it last.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    pub key: String,
    pub written: i64,
}

impl Followed {
    /// A point of which nothing is known but its revision.
    pub fn at(revision: i64) -> Self {
        Self { delivered: revision, seen: revision, cluster_id: None, witness: None }
    }

    /// Takes note of what is delivered.
    pub fn deliver(&mut self, layout: &Layout, set: &ChangeSet) {
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

/// The last point that a handle came to, by a snapshot or a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Followed>>);

impl History {
    pub fn set(&self, followed: Followed) {
        *self.0.lock() = followed;
    }

    /// What is known of the point after the transaction of a revision.
    pub fn after(&self, revision: i64) -> Followed {
        let last = self.0.lock().clone();
        if last.delivered == revision { last } else { Followed::at(revision) }
    }
}
