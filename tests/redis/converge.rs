//! Changes of keys without a notification, or in a misleading order: the view becomes equal to the store.

use super::*;

/// A view after its first read, of a DB that is read again every second.
async fn following(server: &Server) -> Follower {
    let mut follower = Follower::new(open(&server.url_with("reread=1")).await).await;
    server.does::<()>(&["SET", "{lport.t}begin", &lport_text("begin", "b")]);
    follower.until_named("begin", Some("b")).await;
    follower
}

fn text_of(id: &str, topic: &str, name: &str) -> String {
    lport_text(id, name).replace("\"topic\":\"t\"", &format!("\"topic\":\"{topic}\""))
}

#[tokio::test]
async fn a_record_that_moves_to_another_project_is_followed() {
    for options in ["", "Kg$"] {
        let server = Server::with(&["--notify-keyspace-events", options]);
        let mut follower = following(&server).await;
        server.does::<()>(&["SET", "{lport.t1}x", &text_of("x", "t1", "0")]);
        follower.until_named("x", Some("0")).await;
        // In one step; with the new key first; with the old key first.
        server.does::<()>(&["RENAME", "{lport.t1}x", "{lport.t2}x"]);
        server.does::<()>(&["SET", "{lport.t2}x", &text_of("x", "t2", "1")]);
        follower.until_named("x", Some("1")).await;
        server.does::<()>(&["SET", "{lport.t3}x", &text_of("x", "t3", "2")]);
        server.does::<u32>(&["DEL", "{lport.t2}x"]);
        follower.until_named("x", Some("2")).await;
        server.does::<u32>(&["DEL", "{lport.t3}x"]);
        server.does::<()>(&["SET", "{lport.t1}x", &text_of("x", "t1", "3")]);
        follower.until_named("x", Some("3")).await;
        assert_eq!(follower.view.records.len(), 2);
        // The same by trunkpath.
        let moved = json!({"id": "x", "topic": "t4", "lswitch": "n", "name": "4"});
        follower.db.put(Table::Lport, moved).await.unwrap();
        follower.until_named("x", Some("4")).await;
        assert_eq!(server.does::<Vec<String>>(&["KEYS", "{lport.*}x"]), ["{lport.t4}x"]);
    }
}

#[tokio::test]
async fn a_project_without_subscription_is_found_and_then_subscribed_to() {
    let server = Server::start();
    let mut follower = following(&server).await;
    let heard = |channel: &str| server.does::<u32>(&["PUBLISH", channel, "no message"]);
    assert_eq!(heard("stranger"), 0);
    server.does::<()>(&["SET", "{lport.stranger}x", &text_of("x", "stranger", "a")]);
    follower.until_named("x", Some("a")).await;
    // The next change shows that the watch listens again.
    server.does::<()>(&["SET", "{lport.stranger}x", &text_of("x", "stranger", "b")]);
    follower.until_named("x", Some("b")).await;
    assert_eq!(heard("stranger"), 1);
}

#[tokio::test]
async fn an_emptied_server_and_one_with_other_data_are_followed_by_the_difference() {
    let mut server = Server::notifying();
    let mut follower = following(&server).await;
    server.does::<()>(&["FLUSHALL"]);
    follower.until(|view| view.records.is_empty()).await;

    for id in ["same", "changed", "gone"] {
        server.does::<()>(&["SET", &format!("{{lport.t}}{id}"), &lport_text(id, "old")]);
    }
    follower.until(|view| view.records.len() == 3).await;
    let count = follower.count;
    // The data is not saved, so another store is at the address afterwards.
    server.stop();
    server.start_again();
    let mut other = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let records = [("same", "old"), ("changed", "new"), ("came", "new")];
    let records = records.map(|(id, name)| (format!("{{lport.t}}{id}"), lport_text(id, name)));
    redis::cmd("MSET").arg(&records[..]).exec(&mut other).unwrap();
    follower.until_named("came", Some("new")).await;
    assert_eq!(follower.count, count + 3, "what is the same is not told again");
}
