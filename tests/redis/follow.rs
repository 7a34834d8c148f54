//! Watches: with each kind of notification, and without any.

use std::time::Instant;

use super::*;

/// An interval so long that reading again brings nothing during a test.
const NEVER: &str = "reread=86400";

/// A follower after its first reading again, so that only notifications bring changes.
async fn settled(server: &Server, options: &str) -> Follower {
    server.does::<u32>(&["DEL", "{lport.t}settled"]);
    let db = open(&server.url_with(options)).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    let read = db.confirmed();
    server.does::<()>(&["SET", "{lport.t}settled", &lport_text("settled", "s")]);
    follower.until_named("settled", Some("s")).await;
    assert!(db.confirmed() > read);
    follower
}

#[tokio::test]
async fn keyspace_notifications_are_followed() {
    let server = Server::notifying();
    let mut follower = settled(&server, NEVER).await;
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "a")]);
    follower.until_named("p", Some("a")).await;
    // The same value again is no change.
    let count = follower.count;
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "a")]);
    server.does::<()>(&["RENAME", "{lport.t}p", "{lport.t}.p"]);
    server.does::<()>(&["SET", "{lport.u}q", &lport_text("q", "b")]);
    follower.until_named("q", Some("b")).await;
    assert_eq!(follower.count, count + 1);
    server.does::<u32>(&["DEL", "{lport.t}.p"]);
    follower.until_named("p", None).await;
}

#[tokio::test]
async fn another_database_is_another_store() {
    let server = Server::notifying();
    let url = format!("{}/3?{NEVER}", server.url());
    let db = open(&url).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    open(&server.url()).await.transact(vec![lport("elsewhere", "x")]).await.unwrap();
    db.transact(vec![lport("here", "y")]).await.unwrap();
    follower.until_named("here", Some("y")).await;
    assert_eq!(follower.view.records.len(), 1);
}

#[tokio::test]
async fn dragonflows_messages_are_followed_on_both_kinds_of_channels() {
    // Without keyspace notifications.
    let server = Server::start();
    server.does::<()>(&["SET", "{lport.t}p1", &lport_text("p1", "a")]);
    let mut follower = settled(&server, NEVER).await;
    server.does::<()>(&["SET", "{lport.t}p1", &lport_text("p1", "b")]);
    let set = message("p1", "set", Some(&lport_text("p1", "b")));
    publish(&server, "t", &set);
    follower.until_named("p1", Some("b")).await;

    // The bytes that Dragonflow writes.
    server.does::<u32>(&["DEL", "{lport.t}p1"]);
    publish(
        &server,
        "D",
        b"\x85\xa5table\xa5lport\xa3key\xa2p1\xa6action\xa6delete\xa5value\xc0\xa5topic\xa1D",
    );
    follower.until_named("p1", None).await;

    // A late or invalid message has no effect.
    publish(&server, "D", &set);
    publish(&server, "D", b"\xc1 no message");
    server.does::<()>(&["SET", "{lport.new}p2", &lport_text("p2", "c").replace("\"t\"", "\"new\"")]);
    publish(&server, "D", &message("p2", "create", Some(&lport_text("p2", "c").replace("\"t\"", "\"new\""))));
    follower.until_named("p2", Some("c")).await;
}

/// A message in Dragonflow's form.
fn message(key: &str, action: &str, value: Option<&str>) -> Vec<u8> {
    let text = |text: &str| [&[0xda], &(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let fields = [
        ("table", Some("lport")),
        ("key", Some(key)),
        ("action", Some(action)),
        ("value", value),
        ("topic", Some("D")),
    ];
    let fields = fields.map(|(name, value)| [text(name), value.map_or(vec![0xc0], text)].concat());
    [vec![0x85], fields.concat()].concat()
}

fn publish(server: &Server, channel: &str, payload: &[u8]) {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let heard: u32 = redis::cmd("PUBLISH").arg(channel).arg(payload).query(&mut connection).unwrap();
    assert_eq!(heard, 1, "the watch listens to {channel}");
}

#[tokio::test]
async fn writes_are_published_in_dragonflows_form() {
    let server = Server::start();
    let db = open(&server.url()).await;
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut listener = connection.as_pubsub();
    listener.subscribe("D").unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut next = || listener.get_message().unwrap().get_payload_bytes().to_vec();
    db.transact(vec![lport("p1", "a")]).await.unwrap();
    let stored: String = server.does(&["GET", "{lport.t}p1"]);
    let message = next();
    assert!(message.starts_with(b"\x85\xa5table\xa5lport\xa3key\xa2p1\xa6action\xa6create\xa5value\xda"));
    let end = [stored.as_bytes(), b"\xa5topic\xa1D"].concat();
    assert!(message.ends_with(&end));
    db.delete(Table::Lport, "p1").await.unwrap();
    assert_eq!(next(), b"\x85\xa5table\xa5lport\xa3key\xa2p1\xa6action\xa6delete\xa5value\xc0\xa5topic\xa1D");
}

#[tokio::test]
async fn a_lost_event_costs_no_more_than_the_reread_period() {
    // No notifications, and a writer that publishes nothing.
    let server = Server::start();
    server.does::<()>(&["SET", "{lport.t}gone", &lport_text("gone", "a")]);
    let db = open(&server.url_with("reread=1")).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "a")]);
    follower.until_named("p", Some("a")).await;
    for name in ["b", "c"] {
        let before = Instant::now();
        server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", name)]);
        follower.until_named("p", Some(name)).await;
        assert!(db.confirmed().unwrap() > before, "the view is as new as the re-reading");
    }
    server.does::<u32>(&["DEL", "{lport.t}gone"]);
    follower.until_named("gone", None).await;
    server.does::<()>(&["FLUSHALL"]);
    follower.until(|view| view.records.is_empty()).await;
}

#[tokio::test]
async fn writers_at_once_are_followed_to_the_last_state() {
    let server = Server::notifying();
    for _ in 0..2 {
        let mut follower = settled(&server, NEVER).await;
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let url = server.url();
                tokio::spawn(async move {
                    let db = open(&url).await;
                    for round in 0..20 {
                        db.transact(vec![lport(&format!("p{writer}"), &round.to_string())]).await.unwrap();
                        if round % 3 == 2 {
                            db.delete(Table::Lport, &format!("p{writer}")).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        open(&server.url()).await.transact(vec![lport("last", "l")]).await.unwrap();
        follower.until_named("last", Some("l")).await;
        open(&server.url()).await.delete(Table::Lport, "last").await.unwrap();
    }
}

#[tokio::test]
async fn a_watch_continues_where_another_ended_or_fails() {
    let server = Server::notifying();
    let mut follower = settled(&server, NEVER).await;
    let db = Arc::clone(&follower.db);
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "a")]);
    follower.resume();
    follower.until_named("p", Some("a")).await;
    // Two watches at once.
    let mut other = db.watch(follower.view.revision);
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "b")]);
    follower.until_named("p", Some("b")).await;
    let set = tokio::time::timeout(PATIENCE, other.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(set.changes.len(), 1);
    for unknown in [Revision(0), Revision(u64::MAX)] {
        let mut changes = db.watch(unknown);
        assert!(matches!(changes.next().await, Some(Err(NbError::Compacted(at))) if at == unknown));
        assert!(changes.next().await.is_none());
    }
}
