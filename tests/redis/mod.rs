//! The northbound DB in redis, on real servers that each test starts on loopback.

mod access;
mod breaks;
mod cli;
mod converge;
mod follow;
mod layout;
mod refusals;
mod reporting;
mod server;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use trunkpath::nb::{self, Change, ChangeSet, NbError, NorthboundDb, Op, Record, Revision, Snapshot, Table};

use server::Server;
use testkit::fixture::{by_id, fixture};

/// Time limit of each wait, for slow machines.
const PATIENCE: Duration = Duration::from_mins(1);

async fn open(url: &str) -> Arc<dyn NorthboundDb> {
    nb::open(url).await.unwrap()
}

fn lport(id: &str, name: &str) -> Op {
    Op::Put { table: Table::Lport, json: json!({"id": id, "topic": "t", "lswitch": "n", "name": name}) }
}

fn lport_text(id: &str, name: &str) -> String {
    json!({"id": id, "topic": "t", "lswitch": "n", "name": name, "unique_key": 1}).to_string()
}

/// A view that follows a DB as the daemon does: a snapshot, the changes after it, and a resumed watch after
/// an error.
struct Follower {
    db: Arc<dyn NorthboundDb>,
    view: Snapshot,
    changes: BoxStream<'static, Result<ChangeSet, NbError>>,
    /// Number of changes received.
    count: usize,
}

impl Follower {
    async fn new(db: Arc<dyn NorthboundDb>) -> Self {
        let view = db.snapshot().await.unwrap();
        let changes = db.watch(view.revision);
        Self { db, view, changes, count: 0 }
    }

    /// Applies the next changes, or returns the error that ended the watch. [`Follower::resume`] continues
    /// it.
    async fn step(&mut self) -> Result<(), NbError> {
        let set = self.changes.next().await.expect("a watch ends with an error")?;
        assert!(set.revision > self.view.revision, "revisions rise");
        self.view.revision = set.revision;
        self.count += set.changes.len();
        for change in set.changes {
            let (Change::Put(Record { table, ref id, .. }) | Change::Delete { table, ref id }) = change;
            self.view.records.retain(|record| (record.table, &record.id) != (table, id));
            if let Change::Put(record) = change {
                self.view.records.push(record);
            }
        }
        self.view.records.sort_by(|one, two| (one.table, &one.id).cmp(&(two.table, &two.id)));
        Ok(())
    }

    /// Continues after the last delivery.
    fn resume(&mut self) {
        self.changes = self.db.watch(self.view.revision);
    }

    /// Follows, across errors, until `done`; then the view must equal a fresh read.
    async fn until(&mut self, done: impl Fn(&Snapshot) -> bool) {
        let follow = async {
            while !done(&self.view) {
                if self.step().await.is_err() {
                    self.resume();
                }
            }
        };
        let late = tokio::time::timeout(PATIENCE, follow).await.is_err();
        assert!(!late, "it never came: {:?}", self.view);
        assert_equal_to_a_fresh_read(&self.view, &self.db).await;
    }

    /// Follows until lport `id` has this name, or is deleted.
    async fn until_named(&mut self, id: &str, name: Option<&str>) {
        self.until(|view| {
            let found = view.records.iter().find(|record| record.table == Table::Lport && record.id == id);
            found.and_then(|record| record.json["name"].as_str()) == name
        })
        .await;
    }
}

/// Asserts that the view equals a fresh read.
async fn assert_equal_to_a_fresh_read(view: &Snapshot, db: &Arc<dyn NorthboundDb>) {
    let mut fresh = Vec::new();
    for table in Table::ALL {
        fresh.extend(db.list(*table).await.unwrap());
    }
    assert_eq!(view.records, fresh);
}
