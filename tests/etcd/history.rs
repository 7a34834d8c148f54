//! Snapshots and watches: no gap, no repetition, and compacted history.

use etcd_client::{Txn, TxnOp};
use trunkpath::nb::{Change, NbError, Northbound, Op, Revision, Table};

use super::follow::Reader;
use super::servers::Servers;
use super::{delete, lport, named, open, raw, subport};

#[tokio::test]
async fn a_transaction_comes_as_one_set_with_each_record_once() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    let first = db.transact(vec![lport("a"), lport("b"), subport("a", "b", 7)]).await.unwrap();
    assert_eq!(reader.next().await.unwrap().changes.len(), 3);
    assert_eq!(reader.revision, first);
    // An unchanged record is not written and makes no event.
    assert!(db.transact(vec![lport("a")]).await.unwrap() >= first);
    let second = db.transact(vec![lport("c"), delete("c"), named("b", "B")]).await.unwrap();
    let set = reader.next().await.unwrap();
    assert_eq!(set.revision, second);
    let [Change::Put(record)] = set.changes.as_slice() else { panic!("{set:?}") };
    assert_eq!((record.json["name"].as_str(), record.json["version"].as_u64()), (Some("B"), Some(2)));
    // From the first revision on all changes come again, in order.
    let mut again = Reader::start(&db).await;
    again.changes = db.watch(Revision(0));
    again.revision = Revision(0);
    again.follow(second).await;
    assert_eq!(again.seen, 2);
    reader.assert_same_as_a_fresh_read().await;
}

#[tokio::test]
async fn pages_of_a_snapshot_are_of_one_revision() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    for part in 0..4 {
        let ports = (0..3_000).map(|port| lport(&format!("p{part}-{port}"))).collect();
        db.transact(ports).await.unwrap();
    }
    // Every transaction keeps the number of records, so every read must return it.
    let mut raw = raw(&servers).await;
    let writer = async {
        for port in 0..500 {
            let delete = TxnOp::delete(format!("/lport/p0-{port}"), None);
            let put = TxnOp::put(format!("/lport/q{port}"), "{}", None);
            raw.txn(Txn::new().and_then([delete, put])).await.unwrap();
        }
    };
    let reading = async {
        let mut counts = Vec::new();
        for _ in 0..5 {
            let snapshot = db.snapshot().await.unwrap();
            assert!(snapshot.records.is_sorted_by_key(|record| (record.table, record.id.clone())));
            counts.push(snapshot.records.len());
        }
        counts
    };
    let ((), counts) = tokio::join!(writer, reading);
    assert_eq!(counts, [12_000; 5]);
}

#[tokio::test]
async fn compaction_of_unread_history_requires_a_new_snapshot() {
    let mut servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let before = db.snapshot().await.unwrap().revision;
    let mut live = Reader::start(&db).await;
    let mut last = before;
    for change in 0..5 {
        last = db.transact(vec![named("p", &change.to_string())]).await.unwrap();
    }
    live.follow(last).await;
    raw(&servers).await.compact(last.0.cast_signed(), None).await.unwrap();

    // A reader behind the compaction needs a snapshot; a current one does not, even after a restart of its
    // watch.
    let mut behind = Reader::start(&db).await;
    behind.changes = db.watch(before);
    assert!(matches!(behind.next().await, Err(NbError::Compacted(revision)) if revision == before));
    servers.kill(0);
    servers.run(0);
    let next = loop {
        if let Ok(next) = db.transact(vec![named("p", "after")]).await {
            break next;
        }
    };
    live.follow(next).await;
    live.assert_same_as_a_fresh_read().await;

    // A store whose revision is lower than one already read is another store.
    let mut other = Reader::start(&db).await;
    other.changes = db.watch(Revision(next.0 + 1_000));
    assert!(matches!(other.next().await, Err(NbError::Compacted(_))));
}

#[tokio::test]
async fn keys_of_others_are_left_out_and_bad_records_are_passed_on() {
    let servers = Servers::start(1).await;
    let url = format!("{}/cloud", servers.url());
    let db = open(&url).await;
    db.transact(vec![lport("good")]).await.unwrap();
    let mut reader = Reader::start(&db).await;
    let mut raw = raw(&servers).await;
    for (key, value) in [
        ("/lport/other-prefix", "{}"),
        ("/cloud/pubsub/D", "x"),
        ("/cloud/lport/broken", "{\"id\": "),
        ("/cloud/lport/a/b", "{\"id\": \"a/b\"}"),
        ("/cloud/lport/", "{\"id\": \"\"}"),
        ("/cloud/lport/renamed", "{\"id\": \"another\"}"),
    ] {
        raw.put(key, value, None).await.unwrap();
    }
    raw.put("/cloud/child_port_segmentation/odd", vec![0xff, 0xfe], None).await.unwrap();
    let last = db.transact(vec![lport("last")]).await.unwrap();
    reader.follow(last).await;
    reader.assert_same_as_a_fresh_read().await;

    let mut northbound =
        Northbound::from_snapshot(&db.snapshot().await.unwrap(), &trunkpath::types::Incumbents::new());
    assert_eq!(northbound.lports().len(), 2);
    let invalid: Vec<_> = northbound.invalid().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(invalid, ["", "a/b", "broken", "renamed", "odd"]);
    // After the repair no problem is left.
    db.transact(vec![lport("broken"), lport("renamed")]).await.unwrap();
    for key in ["/cloud/lport/", "/cloud/lport/a/b", "/cloud/child_port_segmentation/odd"] {
        raw.delete(key, None).await.unwrap();
    }
    for _ in 0..4 {
        reader.next().await.unwrap().changes.iter().for_each(|change| northbound.apply(change));
    }
    assert_eq!(northbound.invalid().next(), None);
    assert_eq!(northbound.lports().len(), 4);
    assert!(matches!(db.delete(Table::Lport, "absent").await, Err(NbError::Rejected { .. })));
    assert!(matches!(
        db.transact(vec![Op::Create {
            table: Table::Lport,
            json: serde_json::json!({"id": "good", "topic": "t", "lswitch": "n"})
        }])
        .await,
        Err(NbError::Rejected { .. })
    ));
}
