//! Another store at the same address, and the same store after a pause.

use std::time::Duration;

use trunkpath::nb::{NbError, Revision};

use super::follow::Reader;
use super::servers::Servers;
use super::{LIMIT, named, open, raw};

/// Writes as soon as the store accepts it.
async fn write(servers: &Servers, id: &str) -> Revision {
    let writing = async {
        loop {
            if let Ok(revision) = open(&servers.url()).await.transact(vec![named(id, "x")]).await {
                return revision;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, writing).await.expect("it cannot be written")
}

async fn assert_compacted(reader: &mut Reader) {
    let next = reader.next().await;
    assert!(matches!(next, Err(NbError::Compacted(_))), "{next:?}");
}

#[tokio::test]
async fn a_store_that_was_wiped_is_read_anew_whatever_its_revision_is() {
    let mut servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    // A cluster created again from the same configuration has the same id.
    for writes in [1, 10] {
        for id in ["a", "b", "c"] {
            write(&servers, id).await;
        }
        let mut follows = Reader::start(&db).await;
        let last = write(&servers, "last").await;
        follows.follow(last).await;
        let mut has_read = Reader::start(&db).await;
        servers.kill(0);
        servers.wipe(0);
        servers.run(0);
        let mut revision = Revision(0);
        for id in 0..writes {
            revision = write(&servers, &format!("n{id}")).await;
        }
        assert_eq!(revision > last, writes == 10, "{revision} {last}");
        assert_compacted(&mut has_read).await;
        // A watch that continues, and a new watch from the last revision, as the daemon does.
        assert_compacted(&mut follows).await;
        follows.changes = db.watch(follows.revision);
        assert_compacted(&mut follows).await;

        let mut reader = Reader::start(&db).await;
        let last = write(&servers, "after").await;
        reader.follow(last).await;
        reader.assert_same_as_a_fresh_read().await;
    }
}

#[tokio::test]
async fn after_a_quiet_time_that_was_compacted_a_watch_goes_on() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    let last = write(&servers, "a").await;
    reader.follow(last).await;
    // Dragonflow's messages have keys between those of the tables, and are no records.
    let mut raw = raw(&servers).await;
    let mut quiet = 0;
    for message in 0..5 {
        let written = std::time::Instant::now();
        let put = raw.put("/pubsub/D", message.to_string(), None).await.unwrap();
        quiet = put.header().unwrap().revision();
        // One by one, so that a confirmation belongs to this change and not to an earlier one.
        tokio::select! {
            news = reader.next() => panic!("{news:?}"),
            () = async {
                while db.confirmed().is_none_or(|confirmed| confirmed < written) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            } => {}
        }
    }
    raw.compact(quiet, None).await.unwrap();
    reader.changes = db.watch(reader.revision);
    let last = write(&servers, "b").await;
    reader.follow(last).await;
    reader.assert_same_as_a_fresh_read().await;
    // A reader that was away during that time cannot detect it.
    let mut behind = Reader::start(&open(&servers.url()).await).await;
    behind.changes = db.watch(Revision(1));
    assert_compacted(&mut behind).await;
}
