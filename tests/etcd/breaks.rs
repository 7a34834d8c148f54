//! Servers that are killed or frozen.

use std::sync::Arc;
use std::time::Duration;

use trunkpath::nb::NorthboundDb;

use super::follow::Reader;
use super::servers::Servers;
use super::{LIMIT, named, open};

/// Writes one change, repeated until it succeeds.
async fn write(db: &Arc<dyn NorthboundDb>, id: usize, name: &str) {
    let writing = async {
        while db.transact(vec![named(&format!("p{id}"), name)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, writing).await.expect("it cannot be written");
}

#[tokio::test]
async fn the_watch_survives_the_leaders_death_during_500_changes() {
    let mut servers = Servers::start(3).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    // A reader with its own connection, which starts at another server.
    let other = open(&servers.url()).await;
    let mut other_reader = Reader::start(&other).await;
    let writer = open(&servers.url()).await;
    let leader = servers.leader().await;
    let writing = async {
        for change in 0..500 {
            if change == 200 {
                servers.kill(leader);
            }
            if change == 400 {
                servers.run(leader);
            }
            write(&writer, change % 50, &format!("change {change}")).await;
        }
        writer.transact(vec![named("last", "one")]).await.unwrap()
    };
    let last = writing.await;
    for reader in [&mut reader, &mut other_reader] {
        reader.follow(last).await;
        assert_eq!(reader.seen, 501);
        reader.assert_same_as_a_fresh_read().await;
    }
}

#[tokio::test]
async fn a_frozen_server_is_left_for_another() {
    let servers = Servers::start(3).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    let mut revision = reader.revision;
    // One of them serves the reader, and one the writer.
    for frozen in 0..3 {
        servers.freeze(frozen);
        write(&db, frozen, "while one is frozen").await;
        let set = reader.next().await.unwrap();
        assert!(set.revision > revision);
        revision = set.revision;
        reader.assert_same_as_a_fresh_read().await;
        servers.thaw(frozen);
    }
    assert_eq!(reader.seen, 3);
}

#[tokio::test]
async fn a_lone_frozen_server_is_an_error_and_later_goes_on_without_a_gap() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    write(&db, 0, "before").await;
    let mut reader = Reader::start(&db).await;
    servers.freeze(0);
    let error = reader.next().await.unwrap_err().to_string();
    assert!(error.contains(&servers.url()) && error.contains("did not answer within"), "{error}");
    let error = db.snapshot().await.unwrap_err().to_string();
    assert!(error.contains("did not answer within"), "{error}");
    servers.thaw(0);
    write(&db, 1, "after").await;
    reader.changes = db.watch(reader.revision);
    reader.next().await.unwrap();
    reader.assert_same_as_a_fresh_read().await;
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let mut servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    for round in 0..3 {
        servers.kill(0);
        servers.run(0);
        write(&db, round, "after a restart").await;
        reader.next().await.unwrap();
    }
    reader.assert_same_as_a_fresh_read().await;
}
