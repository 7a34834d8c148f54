//! The watch on the log of changes.
//!
//! SQLite does not notify other processes of a commit, but the kernel reports writes to its files, and a
//! pragma without a lock shows whether another connection has committed. A watch executes that pragma after a
//! report and at intervals, and reads only if there are changes.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use futures::stream::{self, BoxStream, StreamExt};
use rusqlite::Connection;

use super::failure::failed;
use super::file::Opened;
use super::file_watch::FileWatch;
use super::state::{revision, value};
use crate::nb::freshness::Freshness;
use crate::nb::{Change, ChangeSet, NbError, Record, Revision, Table};

/// The largest number of changes that a watch reads at once when it is far behind.
const CHANGES_AT_ONCE: usize = 10_000;

/// The state of a watch between two polls.
struct Follower {
    path: PathBuf,
    opened: Option<Opened>,
    after: Revision,
    /// `PRAGMA data_version` before that read; `None` if there may be more to read.
    seen: Option<i64>,
    ready: VecDeque<ChangeSet>,
    freshness: Freshness,
}

/// The changes of the file at `path` after `after`, in order, until an error.
pub(super) fn watch(
    path: PathBuf,
    freshness: Freshness,
    after: Revision,
) -> BoxStream<'static, Result<ChangeSet, NbError>> {
    let follower = Follower { path, opened: None, after, seen: None, ready: VecDeque::new(), freshness };
    stream::unfold(Some((follower, None)), |state| async {
        let (mut follower, mut file_watch) = state?;
        loop {
            if let Some(set) = follower.ready.pop_front() {
                return Some((Ok(set), Some((follower, file_watch))));
            }
            let path = follower.path.clone();
            // Created before the first poll, so that no later write is missed.
            let file_watch = file_watch.get_or_insert_with(|| FileWatch::new(&path));
            let before = follower.seen;
            let polled = tokio::task::spawn_blocking(move || {
                let polled = follower.poll();
                (follower, polled)
            });
            follower = match polled.await {
                Ok((follower, Ok(()))) => follower,
                Ok((_, Err(error))) => return Some((Err(error), None)),
                Err(error) => return Some((Err(failed(&path, error)), None)),
            };
            if follower.seen != before {
                file_watch.record_commit();
            }
            if follower.ready.is_empty() {
                file_watch.wait().await;
            }
        }
    })
    .boxed()
}

impl Follower {
    fn poll(&mut self) -> Result<(), NbError> {
        let started = Instant::now();
        let opened = match self.opened.take() {
            Some(opened) => opened.if_still_at(&self.path)?.ok_or(NbError::Compacted(self.after))?,
            None => Opened::at(&self.path)?,
        };
        let Opened { connection, .. } = self.opened.insert(opened);
        let read = read_new(connection, self.after, &mut self.seen);
        let sets = read.map_err(|error| failed(&self.path, error))?.ok_or(NbError::Compacted(self.after))?;
        if let Some(last) = sets.last() {
            self.after = last.revision;
        } else {
            // Everything that was read before is delivered.
            self.freshness.confirm(started);
        }
        self.ready.extend(sets);
        Ok(())
    }
}

/// The transactions after `after`; `None` if some of their changes are not kept any more.
fn read_new(
    connection: &mut Connection,
    after: Revision,
    seen: &mut Option<i64>,
) -> rusqlite::Result<Option<Vec<ChangeSet>>> {
    let version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
    if *seen == Some(version) {
        return Ok(Some(Vec::new()));
    }
    let transaction = connection.transaction()?;
    let latest = revision(&transaction)?;
    let oldest: Option<u64> =
        transaction.query_row("SELECT min(revision) FROM change", [], |row| row.get(0))?;
    let oldest = oldest.unwrap_or(latest.0 + 1);
    if after > latest || after.0 + 1 < oldest {
        return Ok(None);
    }
    let sets = read_sets(&transaction, after)?;
    // The version was read first: a commit in between is read at this poll, and the next one finds no
    // changes.
    *seen = sets.last().is_none_or(|set| set.revision == latest).then_some(version);
    Ok(Some(sets))
}

/// Whole transactions, until they have [`CHANGES_AT_ONCE`] changes.
fn read_sets(connection: &Connection, after: Revision) -> rusqlite::Result<Vec<ChangeSet>> {
    let sql = "SELECT revision, txn, tbl, id, json FROM change WHERE revision > ?1 ORDER BY revision";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([after.0])?;
    let mut sets = Vec::new();
    let mut group = Group::default();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let txn = row.get(1)?;
        if group.txn != Some(txn) {
            sets.extend(std::mem::take(&mut group).finish());
            if count >= CHANGES_AT_ONCE {
                return Ok(sets);
            }
        }
        group.txn = Some(txn);
        group.revision = Revision(row.get(0)?);
        group.last_of_each.insert((row.get(2)?, row.get(3)?), row.get(4)?);
        count += 1;
    }
    sets.extend(group.finish());
    Ok(sets)
}

/// The changes of one transaction: table and id with the last JSON, `None` if deleted.
#[derive(Default)]
struct Group {
    txn: Option<i64>,
    revision: Revision,
    last_of_each: BTreeMap<(String, String), Option<String>>,
}

impl Group {
    fn finish(self) -> Option<ChangeSet> {
        self.txn?;
        // Other programs may have tables that are unknown here.
        let change = |((table, id), json): ((String, String), Option<String>)| {
            let table: Table = table.parse().ok()?;
            Some(match json {
                Some(text) => Change::Put(Record { table, id, json: value(text) }),
                None => Change::Delete { table, id },
            })
        };
        let changes = self.last_of_each.into_iter().filter_map(change).collect();
        Some(ChangeSet { revision: self.revision, changes })
    }
}
