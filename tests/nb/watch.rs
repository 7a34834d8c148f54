//! Watches of a DB that other processes write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use rusqlite::Connection;
use serde_json::{Value, json};
use trunkpath::nb::{self, Change, ChangeSet, NbError, NorthboundDb, Op, Revision, Snapshot, Table};

use super::{DbFolder, lport_line, succeeded};

pub(crate) type Changes = BoxStream<'static, Result<ChangeSet, NbError>>;

/// The next item, with a time limit for slow machines.
pub(crate) async fn next(changes: &mut Changes) -> Result<ChangeSet, NbError> {
    tokio::time::timeout(Duration::from_mins(1), changes.next())
        .await
        .expect("nothing came")
        .expect("it ended")
}

async fn open(folder: &DbFolder) -> Arc<dyn NorthboundDb> {
    nb::open(&folder.url()).await.unwrap()
}

fn lport(id: &str) -> Op {
    Op::Put { table: Table::Lport, json: json!({"id": id, "topic": "t", "lswitch": "n"}) }
}

fn delete(id: &str) -> Op {
    Op::Delete { table: Table::Lport, id: id.to_owned() }
}

/// Table and id to JSON.
type State = BTreeMap<(Table, String), Value>;

fn state(snapshot: Snapshot) -> State {
    snapshot.records.into_iter().map(|record| ((record.table, record.id), record.json)).collect()
}

fn follow(state: &mut State, set: ChangeSet) {
    for change in set.changes {
        match change {
            Change::Put(record) => state.insert((record.table, record.id), record.json),
            Change::Delete { table, id } => state.remove(&(table, id)),
        };
    }
}

#[tokio::test]
async fn a_transaction_comes_as_one_set_with_each_record_once() {
    let folder = DbFolder::new();
    let (writer, reader) = (open(&folder).await, open(&folder).await);
    let mut changes = reader.watch(Revision(0));
    let first = writer.transact(vec![lport("a"), lport("b")]).await.unwrap();
    let second =
        writer.transact(vec![delete("a"), lport("c"), lport("c"), lport("d"), delete("d")]).await.unwrap();
    // An unchanged record makes no event.
    assert_eq!(
        writer.put(Table::Lport, json!({"id": "b", "topic": "t", "lswitch": "n"})).await.unwrap(),
        second
    );
    let third = writer.delete(Table::Lport, "b").await.unwrap();
    assert!(Revision(0) < first && first < second && second < third);

    let names = |set: &ChangeSet| -> Vec<String> {
        let name = |change: &Change| match change {
            Change::Put(record) => format!("+{}", record.id),
            Change::Delete { id, .. } => format!("-{id}"),
        };
        set.changes.iter().map(name).collect()
    };
    let expected = [(first, vec!["+a", "+b"]), (second, vec!["-a", "+c", "-d"]), (third, vec!["-b"])];
    for (revision, changed) in &expected {
        let set = next(&mut changes).await.unwrap();
        assert_eq!(
            (set.revision, names(&set)),
            (*revision, changed.iter().map(ToString::to_string).collect())
        );
    }
    // From a revision in the middle.
    let mut late = reader.watch(first);
    assert_eq!(next(&mut late).await.unwrap().revision, second);
    assert_eq!(next(&mut late).await.unwrap().revision, third);
}

#[tokio::test]
async fn a_snapshot_and_the_changes_after_it_are_the_db_whoever_writes() {
    let folder = DbFolder::new();
    let db = open(&folder).await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let commands: Vec<_> = (0..10)
                .flat_map(|round| {
                    let json =
                        format!(r#"{{"id": "{writer}", "topic": "t", "lswitch": "n", "name": "{round}"}}"#);
                    let put = folder.command(&["put", "lport", &json]);
                    let delete = folder.command(&["delete", "lport", &writer.to_string()]);
                    if round % 3 == 2 { vec![put, delete] } else { vec![put] }
                })
                .collect();
            std::thread::spawn(move || {
                for mut command in commands {
                    succeeded(&command.output().unwrap());
                }
            })
        })
        .collect();

    // Followers start at several points of the history while it is written.
    let mut followers = Vec::new();
    for start in 0..4 {
        while db.snapshot().await.unwrap().revision < Revision(start * 10) {
            tokio::task::yield_now().await;
        }
        let snapshot = db.snapshot().await.unwrap();
        followers.push((snapshot.revision, db.watch(snapshot.revision), state(snapshot)));
    }
    for writer in writers {
        writer.join().unwrap();
    }
    let last = db.snapshot().await.unwrap();
    let end = last.revision;
    let expected = state(last);
    assert_eq!(end, Revision(4 * 13), "every commit is one change");
    for (mut revision, mut changes, mut state) in followers {
        while revision < end {
            let set = next(&mut changes).await.unwrap();
            assert_eq!(set.revision, Revision(revision.0 + 1), "no gap, nothing twice");
            revision = set.revision;
            follow(&mut state, set);
        }
        assert_eq!(state, expected);
    }
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_said() {
    let folder = DbFolder::new();
    let db = open(&folder).await;
    Connection::open(folder.file())
        .unwrap()
        .execute("UPDATE setting SET value = 5 WHERE name = 'changes_kept'", [])
        .unwrap();
    let mut idle = db.watch(Revision(0));
    let lines: String = (0..20).map(|index| lport_line(&index.to_string())).collect();
    succeeded(&folder.apply(&lines));

    let mut old = db.watch(Revision(14));
    assert!(matches!(next(&mut old).await, Err(NbError::Compacted(Revision(14)))));
    assert!(old.next().await.is_none(), "a watch ends with its error");
    assert!(matches!(next(&mut idle).await, Err(NbError::Compacted(Revision(0)))));
    let mut future = db.watch(Revision(21));
    assert!(matches!(next(&mut future).await, Err(NbError::Compacted(_))));

    let mut kept = db.watch(Revision(15));
    assert_eq!(next(&mut kept).await.unwrap().changes.len(), 5);
    let snapshot = db.snapshot().await.unwrap();
    assert_eq!((snapshot.revision, snapshot.records.len()), (Revision(20), 20));
    let mut changes = db.watch(snapshot.revision);
    succeeded(&folder.apply(&lport_line("more")));
    assert_eq!(next(&mut changes).await.unwrap().revision, Revision(21));
}

#[tokio::test]
async fn a_replaced_file_is_noticed() {
    let (folder, other) = (DbFolder::new(), DbFolder::new());
    let db = open(&folder).await;
    db.transact(vec![lport("old")]).await.unwrap();
    succeeded(&other.apply(&lport_line("new")));
    let follow = || async {
        let mut changes = db.watch(Revision(0));
        next(&mut changes).await.unwrap();
        changes
    };

    let mut changes = follow().await;
    remove_all(&folder);
    std::fs::rename(other.file(), folder.file()).unwrap();
    // The removal may be noticed before the new file.
    assert!(matches!(next(&mut changes).await, Err(NbError::Compacted(Revision(1)) | NbError::Absent(_))));
    let records = db.snapshot().await.unwrap().records;
    assert_eq!(records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["new"]);

    let mut changes = follow().await;
    remove_all(&folder);
    assert!(matches!(next(&mut changes).await, Err(NbError::Absent(_))));
    assert!(matches!(db.snapshot().await, Err(NbError::Absent(_))));
    folder.nb(&["init"]);
    assert!(db.snapshot().await.unwrap().records.is_empty());
}

fn remove_all(folder: &DbFolder) {
    for entry in std::fs::read_dir(folder.dir.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

#[tokio::test]
async fn changes_by_another_program_and_far_behind_are_followed() {
    let folder = DbFolder::new();
    let db = open(&folder).await;
    let mut changes = db.watch(Revision(0));
    let mut other = Connection::open(folder.file()).unwrap();
    for transaction in 1..=3 {
        let writing = other.transaction().unwrap();
        writing.execute("UPDATE setting SET value = value + 1 WHERE name = 'txn'", []).unwrap();
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)
                   INSERT INTO record SELECT 'lport', ?1 || '-' || i, '{\"bad\": true}' FROM n";
        writing.execute(sql, [transaction]).unwrap();
        writing.commit().unwrap();
    }
    for transaction in 1..=3 {
        let set = next(&mut changes).await.unwrap();
        assert_eq!((set.revision, set.changes.len()), (Revision(transaction * 7000), 7000));
    }
    // An invalid record is in the snapshot, and does not exclude others.
    db.transact(vec![lport("good")]).await.unwrap();
    let northbound =
        nb::Northbound::from_snapshot(&db.snapshot().await.unwrap(), &trunkpath::types::Incumbents::new());
    assert_eq!((northbound.lports().len(), northbound.invalid().count()), (1, 21_000));
}

#[tokio::test]
async fn unique_keys_are_allocated_across_handles() {
    let folder = DbFolder::new();
    let (one, two) = (open(&folder).await, open(&folder).await);
    let keys = [
        one.allocate_unique_key(Table::Lport).await.unwrap(),
        two.allocate_unique_key(Table::Lport).await.unwrap(),
        one.allocate_unique_key(Table::Lswitch).await.unwrap(),
    ];
    assert_eq!(keys, [1, 2, 1]);
    two.transact(vec![lport("p")]).await.unwrap();
    assert_eq!(one.get(Table::Lport, "p").await.unwrap().unwrap().json["unique_key"], 3);
}
