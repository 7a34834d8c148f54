//! Failures of the server.

use std::time::Instant;

use super::*;

/// Waits for the error of a failure.
async fn broken(follower: &mut Follower) -> String {
    let fail = async {
        loop {
            if let Err(error) = follower.step().await {
                return error.to_string();
            }
        }
    };
    tokio::time::timeout(PATIENCE, fail).await.expect("a break is noticed")
}

#[tokio::test]
async fn a_restart_is_noticed_and_what_happened_meanwhile_is_caught_up() {
    let mut server = Server::notifying();
    let db = open(&server.url()).await;
    db.transact(vec![lport("stays", "a"), lport("goes", "b")]).await.unwrap();
    let mut follower = Follower::new(Arc::clone(&db)).await;
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "0")]);
    follower.until_named("p", Some("0")).await;
    for round in ["1", "2", "3"] {
        server.restart();
        server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", round)]);
        let error = broken(&mut follower).await;
        assert!(error.starts_with("northbound DB redis://127.0.0.1:"), "{error}");
        // The same handle continues after the last delivery: only the difference comes.
        let count = follower.count;
        follower.resume();
        follower.until_named("p", Some(round)).await;
        assert_eq!(follower.count, count + 1, "what did not change is not told again");
    }
    server.does::<u32>(&["DEL", "{lport.t}goes"]);
    follower.until_named("goes", None).await;
}

#[tokio::test]
async fn while_the_server_is_away_every_try_fails_alike_and_ever_more_slowly() {
    let mut server = Server::start();
    let db = open(&server.url()).await;
    db.transact(vec![lport("p", "a")]).await.unwrap();
    let mut follower = Follower::new(Arc::clone(&db)).await;
    follower.until_named("p", Some("a")).await;
    server.does::<String>(&["SAVE"]);
    server.stop();
    let confirmed = db.confirmed();
    broken(&mut follower).await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = Instant::now();
        follower.resume();
        let error = broken(&mut follower).await;
        assert!(
            error.contains("Connection refused") && error.contains("is redis-server running there"),
            "{error}"
        );
        waits.push(before.elapsed());
    }
    // The fifth attempt waits 400 to 800 ms, the first one does not wait.
    assert!(waits[4] >= Duration::from_millis(400), "{waits:?}");
    assert!(db.confirmed() == confirmed, "the view only grows old");
    server.start_again();
    follower.resume();
    server.does::<()>(&["SET", "{lport.t}q", &lport_text("q", "b")]);
    follower.until_named("q", Some("b")).await;
    assert_eq!(follower.view.records.len(), 2);
}

#[tokio::test]
async fn a_frozen_server_is_noticed() {
    let server = Server::notifying();
    let db = open(&server.url()).await;
    db.transact(vec![lport("p", "a")]).await.unwrap();
    let mut follower = Follower::new(Arc::clone(&db)).await;
    server.freeze();
    let error = broken(&mut follower).await;
    assert!(error.contains("timed out"), "{error}");
    server.thaw();
    follower.resume();
    server.does::<()>(&["SET", "{lport.t}p", &lport_text("p", "b")]);
    follower.until_named("p", Some("b")).await;
}
