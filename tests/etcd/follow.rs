//! State of a reader: a snapshot and the changes since.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use trunkpath::nb::{Change, ChangeSet, NbError, NorthboundDb, Revision, Snapshot, Table};

use super::LIMIT;

/// Table and id to JSON.
type Picture = BTreeMap<(Table, String), Value>;

/// A reader that started from a snapshot.
pub struct Reader {
    db: Arc<dyn NorthboundDb>,
    picture: Picture,
    pub changes: BoxStream<'static, Result<ChangeSet, NbError>>,
    pub revision: Revision,
    /// Number of transactions received.
    pub seen: usize,
}

fn picture(snapshot: Snapshot) -> Picture {
    snapshot.records.into_iter().map(|record| ((record.table, record.id), record.json)).collect()
}

impl Reader {
    pub async fn start(db: &Arc<dyn NorthboundDb>) -> Self {
        let snapshot = db.snapshot().await.unwrap();
        let revision = snapshot.revision;
        let changes = db.watch(revision);
        Self { db: Arc::clone(db), picture: picture(snapshot), changes, revision, seen: 0 }
    }

    /// The next transaction or error.
    pub async fn next(&mut self) -> Result<ChangeSet, NbError> {
        let next = tokio::time::timeout(LIMIT, self.changes.next()).await;
        let set = next.expect("nothing came").expect("it ended")?;
        assert!(set.revision > self.revision, "{} after {}", set.revision, self.revision);
        self.revision = set.revision;
        self.seen += 1;
        for change in set.changes.clone() {
            match change {
                Change::Put(record) => self.picture.insert((record.table, record.id), record.json),
                Change::Delete { table, id } => self.picture.remove(&(table, id)),
            };
        }
        Ok(set)
    }

    /// Follows until `revision`, which must be that of a transaction.
    pub async fn follow(&mut self, revision: Revision) {
        while self.revision < revision {
            self.next().await.unwrap();
        }
    }

    /// Asserts that its state equals a fresh read.
    pub async fn assert_same_as_a_fresh_read(&self) {
        let fresh = self.db.snapshot().await.unwrap();
        let fresh = picture(fresh);
        assert_eq!(self.picture.len(), fresh.len());
        assert_eq!(self.picture, fresh);
    }
}
