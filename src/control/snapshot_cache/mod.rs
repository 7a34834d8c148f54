//! A copy of the records on this host, by which the switch forwards after a start without the NB DB.
//!
//! The file is an SQLite database beside the daemon's other state. A thread of its own writes it, so that a
//! slow disk does not delay control. It is only read at the start, and may be deleted at any time.

mod file;
mod pending;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use self::pending::Pending;
use crate::nb::{Change, ChangeSet, Record, Revision, Snapshot, describe_sqlite};

/// Upper bound of the time that the end waits for the disk. The copy remains as it was written last.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The records of the copy, and the time at which they were last confirmed to be those of the NB DB.
#[derive(Debug)]
pub(super) struct CachedSnapshot {
    pub(super) snapshot: Snapshot,
    pub(super) confirmed: SystemTime,
}

/// The copy. Only [`SnapshotCache::open`] and [`SnapshotCache::close`] wait for the disk.
#[derive(Debug)]
pub(super) struct SnapshotCache {
    queue: Arc<Queue>,
    failure: Arc<Mutex<Option<String>>>,
    path: PathBuf,
    /// Disconnected by the end of the writer.
    ended: Receiver<()>,
}

/// The changes that the writer has to write.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Pending,
    /// Whether changes were added since the last [`Queue::pop`].
    has_new: bool,
    closed: bool,
}

impl Queue {
    fn add(&self, add: impl FnOnce(&mut Pending, SystemTime)) {
        let mut state = self.state.lock();
        add(&mut state.pending, SystemTime::now());
        state.has_new = true;
        self.changed.notify_one();
    }

    /// Waits for changes; `None` at the end.
    fn pop(&self) -> Option<Pending> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| !state.has_new && !state.closed);
        let has_new = std::mem::take(&mut state.has_new);
        has_new.then(|| std::mem::take(&mut state.pending))
    }

    /// Returns changes that could not be written, for the next attempt.
    fn push_back(&self, mut older: Pending) {
        let mut state = self.state.lock();
        older.append(std::mem::take(&mut state.pending));
        state.pending = older;
    }
}

impl SnapshotCache {
    /// Reads the copy of the DB at `url` from the file `path`, if there is one, and starts the thread that
    /// writes it.
    pub(super) fn open(path: &Path, url: &str) -> (Self, Option<CachedSnapshot>) {
        let failure = Arc::new(Mutex::new(None));
        let queue = Arc::<Queue>::default();
        let (ending, ended) = bounded(0);
        let opened = file::open(path).and_then(|connection| {
            let copy = read(&connection, url).map_err(|error| file::OpenError::sqlite(path, &error))?;
            Ok((copy, connection))
        });
        let copy = match opened {
            Ok((copy, connection)) => {
                let writer = Writer {
                    connection,
                    url: url.to_owned(),
                    path: path.to_owned(),
                    queue: Arc::clone(&queue),
                    failure: Arc::clone(&failure),
                    _ending: ending,
                };
                thread::spawn(move || writer.run());
                copy
            }
            Err(error) => {
                *failure.lock() = Some(error.to_string());
                queue.state.lock().closed = true;
                None
            }
        };
        (Self { queue, failure, path: path.to_owned(), ended }, copy)
    }

    /// Replaces the records of the copy.
    pub(super) fn store_snapshot(&self, snapshot: Snapshot) {
        self.add(|pending, now| pending.add_snapshot(snapshot, now));
    }

    /// Applies changes to the copy.
    pub(super) fn store_changes(&self, changes: ChangeSet) {
        self.add(|pending, now| pending.add_changes(changes, now));
    }

    /// Stores that the records of the copy are those of the NB DB now.
    pub(super) fn store_confirmation(&self) {
        self.add(|pending, now| pending.confirmed = Some(now));
    }

    fn add(&self, add: impl FnOnce(&mut Pending, SystemTime)) {
        // Without a writer, the queue would only grow.
        if !self.queue.state.lock().closed {
            self.queue.add(add);
        }
    }

    /// The reason why the last write or the opening failed.
    pub(super) fn failure(&self) -> Option<String> {
        let reason = self.failure.lock().clone()?;
        Some(format!(
            "{}: {reason}: the records are not kept for a start without the NB DB; make the folder writable or give another --state",
            self.path.display()
        ))
    }

    /// Writes the remaining changes, for at most [`CLOSE_TIMEOUT`].
    pub(super) fn close(self) {
        self.queue.state.lock().closed = true;
        self.queue.changed.notify_one();
        // No message is ever sent: the writer ends, or the time is over.
        if self.ended.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                "{}: the disk does not answer: the last changes are not kept",
                self.path.display()
            );
        }
    }
}

/// The thread that writes the copy.
struct Writer {
    connection: Connection,
    url: String,
    path: PathBuf,
    queue: Arc<Queue>,
    failure: Arc<Mutex<Option<String>>>,
    /// Dropped at the end, which disconnects [`SnapshotCache::ended`].
    _ending: Sender<()>,
}

impl Writer {
    fn run(mut self) {
        let mut gap = false;
        while let Some(pending) = self.queue.pop() {
            let written = write(&mut self.connection, &self.url, &pending);
            gap = pending.gap || gap && pending.snapshot.is_none();
            let failure = match written {
                Ok(()) if gap => Some("the disk did not keep up with the changes".to_owned()),
                Ok(()) => None,
                Err(error) => {
                    self.queue.push_back(pending);
                    Some(describe_sqlite(&self.path, &error))
                }
            };
            *self.failure.lock() = failure;
        }
    }
}

fn read(connection: &Connection, url: &str) -> Result<Option<CachedSnapshot>, rusqlite::Error> {
    let origin = connection
        .query_row("SELECT revision, confirmed FROM origin WHERE url = ?1", [url], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let Some((revision, confirmed)) = origin else { return Ok(None) };
    let mut statement = connection.prepare("SELECT tbl, id, json FROM record")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut records = Vec::new();
    for row in rows {
        let (table, id, json) = row?;
        // Unknown tables and invalid JSON are ignored: another version may have written them.
        if let (Ok(table), Ok(json)) = (table.parse(), serde_json::from_str(&json)) {
            records.push(Record { table, id, json });
        }
    }
    let snapshot = Snapshot { revision: Revision(revision.cast_unsigned()), records };
    Ok(Some(CachedSnapshot {
        snapshot,
        confirmed: UNIX_EPOCH + Duration::from_secs(confirmed.cast_unsigned()),
    }))
}

fn write(connection: &mut Connection, url: &str, pending: &Pending) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    if pending.gap {
        transaction.execute("DELETE FROM origin", [])?;
    }
    if let Some(snapshot) = &pending.snapshot {
        replace(&transaction, snapshot)?;
        transaction.execute("DELETE FROM origin", [])?;
        let revision = snapshot.revision.0.cast_signed();
        transaction.execute("INSERT INTO origin VALUES (?1, ?2, 0)", params![url, revision])?;
    }
    pending.changes.values().try_for_each(|change| apply(&transaction, change))?;
    if let Some(revision) = pending.revision {
        transaction.execute("UPDATE origin SET revision = ?1", [revision.0.cast_signed()])?;
    }
    if let Some(confirmed) = pending.confirmed {
        let seconds = confirmed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        transaction.execute("UPDATE origin SET confirmed = ?1", [seconds.cast_signed()])?;
    }
    transaction.commit()
}

/// Replaces the records by those of `snapshot`. Writes only those that differ.
fn replace(transaction: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS present (tbl TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (tbl, id)) WITHOUT ROWID;
         DELETE FROM present;",
    )?;
    let mut present = transaction.prepare_cached("INSERT OR IGNORE INTO present VALUES (?1, ?2)")?;
    for record in &snapshot.records {
        present.execute(params![record.table.name(), record.id])?;
        put(transaction, record)?;
    }
    transaction.execute(
        "DELETE FROM record WHERE NOT EXISTS
         (SELECT 1 FROM present WHERE present.tbl = record.tbl AND present.id = record.id)",
        [],
    )?;
    Ok(())
}

fn apply(transaction: &Transaction<'_>, change: &Change) -> Result<(), rusqlite::Error> {
    match change {
        Change::Put(record) => put(transaction, record),
        Change::Delete { table, id } => {
            let mut delete = transaction.prepare_cached("DELETE FROM record WHERE tbl = ?1 AND id = ?2")?;
            delete.execute(params![table.name(), id]).map(drop)
        }
    }
}

fn put(transaction: &Transaction<'_>, record: &Record) -> Result<(), rusqlite::Error> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO record VALUES (?1, ?2, ?3)
         ON CONFLICT (tbl, id) DO UPDATE SET json = excluded.json WHERE json IS NOT excluded.json",
    )?;
    put.execute(params![record.table.name(), record.id, record.json.to_string()]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;
    use crate::nb::Table;

    const URL: &str = "etcd://h1:2379";

    fn record(id: &str, name: &str) -> Record {
        Record { table: Table::Lport, id: id.to_owned(), json: json!({ "id": id, "name": name }) }
    }

    fn snapshot(revision: u64, records: Vec<Record>) -> Snapshot {
        Snapshot { revision: Revision(revision), records }
    }

    #[test]
    fn stored_snapshots_and_changes_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/last-good.db");
        let (kept, copy) = SnapshotCache::open(&path, URL);
        assert!(copy.is_none());
        kept.store_snapshot(snapshot(5, vec![record("a", "1"), record("b", "1"), record("c", "1")]));
        let gone = Change::Delete { table: Table::Lport, id: "b".to_owned() };
        let changes = vec![gone, Change::Put(record("c", "2"))];
        kept.store_changes(ChangeSet { revision: Revision(6), changes });
        assert_eq!(kept.failure(), None);
        kept.close();

        let (kept, copy) = SnapshotCache::open(&path, URL);
        let copy = copy.unwrap();
        assert_eq!(copy.snapshot, snapshot(6, vec![record("a", "1"), record("c", "2")]));
        assert!(copy.confirmed.elapsed().unwrap() < Duration::from_mins(1));
        // A full read replaces all of it.
        kept.store_snapshot(snapshot(9, vec![record("d", "1")]));
        kept.close();
        let (_, copy) = SnapshotCache::open(&path, URL);
        assert_eq!(copy.unwrap().snapshot, snapshot(9, vec![record("d", "1")]));
    }

    #[test]
    fn only_the_user_of_the_daemon_may_read_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-good.db");
        for _ in 0..2 {
            let (kept, _) = SnapshotCache::open(&path, URL);
            kept.store_snapshot(snapshot(5, vec![record("a", "1")]));
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            kept.close();
            // The mode of earlier versions.
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
    }

    #[test]
    fn the_copy_of_another_db_and_a_damaged_one_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-good.db");
        let (kept, _) = SnapshotCache::open(&path, URL);
        kept.store_snapshot(snapshot(5, vec![record("a", "1")]));
        kept.close();
        let (kept, copy) = SnapshotCache::open(&path, "etcd://h2:2379");
        assert!(copy.is_none());
        kept.close();
        std::fs::write(&path, "SQLite format 3\0, and nothing else of it".repeat(100)).unwrap();
        let (kept, copy) = SnapshotCache::open(&path, URL);
        assert!(copy.is_none());
        kept.store_snapshot(snapshot(5, vec![record("a", "1")]));
        kept.close();
        assert!(SnapshotCache::open(&path, URL).1.is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let (kept, copy) = SnapshotCache::open(Path::new("/proc/self/last-good.db"), URL);
        assert!(copy.is_none());
        kept.store_snapshot(snapshot(5, Vec::new()));
        let failure = kept.failure().unwrap();
        assert!(failure.starts_with("/proc/self/last-good.db: ") && failure.contains("--state"), "{failure}");
        kept.close();
    }

    #[test]
    fn a_disk_that_fails_or_hangs_delays_no_call_and_loses_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-good.db");
        let (kept, _) = SnapshotCache::open(&path, URL);
        kept.store_snapshot(snapshot(1, vec![record("a", "1")]));
        // Another process holds the write lock: each attempt waits, then fails.
        let other = Connection::open(&path).unwrap();
        other.busy_timeout(Duration::from_mins(1)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for number in 2..=5_000 {
            let changes = vec![Change::Put(record("a", &number.to_string()))];
            kept.store_changes(ChangeSet { revision: Revision(number), changes });
        }
        assert!(kept.queue.state.lock().pending.changes.len() <= 1, "one record, however often it changes");
        while kept.failure().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        other.execute_batch("ROLLBACK").unwrap();
        kept.store_confirmation();
        kept.close();
        let (_, copy) = SnapshotCache::open(&path, URL);
        assert_eq!(copy.unwrap().snapshot, snapshot(5_000, vec![record("a", "5000")]));
    }
}
