//! The records as they were read last, kept on this host: what a start without the NB DB forwards by.
//!
//! A file of SQLite beside the daemon's other state, written by a thread of its own, so that no disk holds up control. It is
//! a copy and nothing else: it may be lost at any time, and is read at the start only.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::nb::{Change, ChangeSet, Record, Revision, Snapshot};

/// The layout of the file. Another number is another layout, whose file is begun anew.
const LAYOUT: i32 = 1;

/// A copy of the records, and when it was known to be all of them.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) snapshot: Snapshot,
    pub(super) confirmed: SystemTime,
}

/// Keeps the copy.
#[derive(Debug)]
pub(super) struct LastGood {
    notes: Sender<Note>,
    failure: Arc<Mutex<Option<String>>>,
    path: PathBuf,
    writer: thread::JoinHandle<()>,
}

/// What there is to write.
enum Note {
    All(Snapshot),
    Changes(ChangeSet),
    Confirmed,
}

impl LastGood {
    /// Reads the copy of the DB at `url`, if there is one, and keeps it from now on in the file `path`.
    pub(super) fn open(path: &Path, url: &str) -> (Self, Option<Copy>) {
        let failure = Arc::new(Mutex::new(None));
        let (notes, received) = unbounded();
        let opened = open(path).and_then(|connection| Ok((read(&connection, url)?, connection)));
        let (copy, connection) = match opened {
            Ok((copy, connection)) => (copy, Some(connection)),
            Err(error) => {
                *failure.lock() = Some(error.to_string());
                (None, None)
            }
        };
        let (url, failed) = (url.to_owned(), Arc::clone(&failure));
        let writer = thread::spawn(move || {
            if let Some(connection) = connection {
                keep(connection, &url, &received, &failed);
            }
        });
        (Self { notes, failure, path: path.to_owned(), writer }, copy)
    }

    /// Takes all records.
    pub(super) fn read(&self, snapshot: Snapshot) {
        self.note(Note::All(snapshot));
    }

    /// Takes changes.
    pub(super) fn follow(&self, changes: ChangeSet) {
        self.note(Note::Changes(changes));
    }

    /// Says that the records are still these.
    pub(super) fn confirm(&self) {
        self.note(Note::Confirmed);
    }

    fn note(&self, note: Note) {
        // Nobody takes it when the file cannot be used, which is said elsewhere.
        drop(self.notes.send(note));
    }

    /// Why the copy is not kept, if it is not.
    pub(super) fn failure(&self) -> Option<String> {
        let reason = self.failure.lock().clone()?;
        Some(format!(
            "{}: {reason}: the records are not kept for a start without the NB DB; make the folder writable or give another --state",
            self.path.display()
        ))
    }

    /// Writes what is left to write.
    pub(super) fn close(self) {
        drop(self.notes);
        drop(self.writer.join());
    }
}

fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    if let Some(folder) = path.parent() {
        // If that fails, so does the next line, and says why.
        drop(std::fs::create_dir_all(folder));
    }
    let connection = open_private(path)?;
    let layout = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0));
    // A new file has none, one of another program has its own, and what is no such file at all has an error.
    let connection = if layout == Ok(LAYOUT) {
        connection
    } else {
        drop(connection);
        begin_anew(path)?
    };
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Only our user may read it, from its first byte on: it has all that the tenants' records say. SQLite gives what it
/// writes beside a file the mode of that.
fn open_private(path: &Path) -> Result<Connection, rusqlite::Error> {
    const MODE: u32 = 0o600;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path);
    // If that fails, so does the next line, and says why.
    drop(file.and_then(|file| file.set_permissions(Permissions::from_mode(MODE))));
    Connection::open(path)
}

fn begin_anew(path: &Path) -> Result<Connection, rusqlite::Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        drop(std::fs::remove_file(name));
    }
    let connection = open_private(path)?;
    connection.execute_batch(
        "BEGIN;
         CREATE TABLE record (tbl TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (tbl, id)) WITHOUT ROWID;
         CREATE TABLE origin (url TEXT NOT NULL, revision INTEGER NOT NULL, confirmed INTEGER NOT NULL);",
    )?;
    connection.pragma_update(None, "user_version", LAYOUT)?;
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

fn read(connection: &Connection, url: &str) -> Result<Option<Copy>, rusqlite::Error> {
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
        // A table or a text that this program does not know is no record for it.
        if let (Ok(table), Ok(json)) = (table.parse(), serde_json::from_str(&json)) {
            records.push(Record { table, id, json });
        }
    }
    let snapshot = Snapshot { revision: Revision(revision.cast_unsigned()), records };
    Ok(Some(Copy { snapshot, confirmed: UNIX_EPOCH + Duration::from_secs(confirmed.cast_unsigned()) }))
}

/// Writes notes until there are no more to come.
fn keep(mut connection: Connection, url: &str, notes: &Receiver<Note>, failure: &Mutex<Option<String>>) {
    while let Ok(first) = notes.recv() {
        // What has come meanwhile goes into one transaction.
        let all: Vec<_> = std::iter::once(first).chain(notes.try_iter()).collect();
        let written = write(&mut connection, url, &all);
        *failure.lock() = written.err().map(|error| error.to_string());
    }
}

fn write(connection: &mut Connection, url: &str, notes: &[Note]) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for note in notes {
        match note {
            Note::All(snapshot) => {
                replace(&transaction, snapshot)?;
                transaction.execute("DELETE FROM origin", [])?;
                transaction.execute(
                    "INSERT INTO origin VALUES (?1, ?2, 0)",
                    params![url, snapshot.revision.0.cast_signed()],
                )?;
            }
            Note::Changes(changes) => {
                changes.changes.iter().try_for_each(|change| apply(&transaction, change))?;
                let revision = changes.revision.0.cast_signed();
                transaction.execute("UPDATE origin SET revision = ?1", [revision])?;
            }
            Note::Confirmed => {}
        }
    }
    transaction.execute("UPDATE origin SET confirmed = ?1", [seconds.cast_signed()])?;
    transaction.commit()
}

/// Makes the records those of `snapshot`, and leaves alone what is as it was.
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
    fn what_was_read_and_followed_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/last-good.db");
        let (kept, copy) = LastGood::open(&path, URL);
        assert!(copy.is_none());
        kept.read(snapshot(5, vec![record("a", "1"), record("b", "1"), record("c", "1")]));
        let gone = Change::Delete { table: Table::Lport, id: "b".to_owned() };
        let changes = vec![gone, Change::Put(record("c", "2"))];
        kept.follow(ChangeSet { revision: Revision(6), changes });
        assert_eq!(kept.failure(), None);
        kept.close();

        let (kept, copy) = LastGood::open(&path, URL);
        let copy = copy.unwrap();
        assert_eq!(copy.snapshot, snapshot(6, vec![record("a", "1"), record("c", "2")]));
        assert!(copy.confirmed.elapsed().unwrap() < Duration::from_mins(1));
        // A full read replaces all of it.
        kept.read(snapshot(9, vec![record("d", "1")]));
        kept.close();
        let (_, copy) = LastGood::open(&path, URL);
        assert_eq!(copy.unwrap().snapshot, snapshot(9, vec![record("d", "1")]));
    }

    #[test]
    fn nobody_else_may_read_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-good.db");
        for _ in 0..2 {
            let (kept, _) = LastGood::open(&path, URL);
            kept.read(snapshot(5, vec![record("a", "1")]));
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            kept.close();
            // As it was made once.
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
    }

    #[test]
    fn the_copy_of_another_db_and_a_damaged_one_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-good.db");
        let (kept, _) = LastGood::open(&path, URL);
        kept.read(snapshot(5, vec![record("a", "1")]));
        kept.close();
        let (kept, copy) = LastGood::open(&path, "etcd://h2:2379");
        assert!(copy.is_none());
        kept.close();
        std::fs::write(&path, "not SQLite at all, and long enough to be looked at".repeat(100)).unwrap();
        let (kept, copy) = LastGood::open(&path, URL);
        assert!(copy.is_none());
        kept.read(snapshot(5, vec![record("a", "1")]));
        kept.close();
        assert!(LastGood::open(&path, URL).1.is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let (kept, copy) = LastGood::open(Path::new("/proc/self/last-good.db"), URL);
        assert!(copy.is_none());
        kept.read(snapshot(5, Vec::new()));
        let failure = kept.failure().unwrap();
        assert!(failure.starts_with("/proc/self/last-good.db: ") && failure.contains("--state"), "{failure}");
        kept.close();
    }
}
