//! Layout of the store: keys in both spellings, and counters.

use super::*;

fn keys(server: &Server) -> Vec<String> {
    let mut keys: Vec<String> = server.does(&["KEYS", "{*"]);
    keys.sort();
    keys
}

#[tokio::test]
async fn records_are_written_under_dragonflows_keys() {
    let server = Server::start();
    let db = open(&server.url()).await;
    let chassis = json!({"id": "c1", "ip": "10.0.0.1", "tunnel_types": ["vxlan"]});
    db.transact(vec![
        lport("p1", "a"),
        lport("p2", "b"),
        Op::Put { table: Table::Chassis, json: chassis.clone() },
    ])
    .await
    .unwrap();
    assert_eq!(keys(&server), ["{chassis.}c1", "{lport.t}p1", "{lport.t}p2", "{unique_key.}lport"]);
    assert_eq!(server.does::<String>(&["GET", "{unique_key.}lport"]), "2");
    let stored: Value = serde_json::from_str(&server.does::<String>(&["GET", "{chassis.}c1"])).unwrap();
    assert_eq!(stored, chassis);
    assert_eq!(db.get(Table::Lport, "p1").await.unwrap().unwrap().json["unique_key"], 1);
    assert!(db.get(Table::Lport, "1").await.unwrap().is_none(), "an id is not found by its end");
    db.delete(Table::Lport, "p1").await.unwrap();
    assert_eq!(keys(&server), ["{chassis.}c1", "{lport.t}p2", "{unique_key.}lport"]);
}

#[tokio::test]
async fn both_spellings_are_read_and_the_newer_is_written() {
    let server = Server::start();
    server.does::<()>(&["SET", "{lport.t}new", &lport_text("new", "n")]);
    server.does::<()>(&["SET", "{lport.t}.old", &lport_text("old", "o")]);
    // Of one record under two keys the one with the higher version is in force, otherwise the newer spelling.
    server.does::<()>(&["SET", "{lport.t}.both", &lport_text("both", "older")]);
    server.does::<()>(&["SET", "{lport.t}both", &lport_text("both", "newer")]);
    let db = open(&server.url()).await;
    let names = |records: Vec<Record>| -> Vec<(String, String)> {
        records
            .into_iter()
            .map(|record| (record.id, record.json["name"].as_str().unwrap().to_owned()))
            .collect()
    };
    let expected =
        [("both", "newer"), ("new", "n"), ("old", "o")].map(|(id, name)| (id.to_owned(), name.to_owned()));
    assert_eq!(names(db.list(Table::Lport).await.unwrap()), expected);
    assert_eq!(names(db.snapshot().await.unwrap().records), expected);
    assert_eq!(db.get(Table::Lport, "old").await.unwrap().unwrap().json["name"], "o");

    let json = json!({"id": "old", "topic": "t", "lswitch": "n", "name": "now", "unique_key": 7});
    db.put(Table::Lport, json).await.unwrap();
    db.delete(Table::Lport, "both").await.unwrap();
    assert_eq!(keys(&server), ["{lport.t}new", "{lport.t}old", "{unique_key.}lport"]);
}

#[tokio::test]
async fn unique_keys_of_two_clients_never_meet() {
    let server = Server::start();
    let take = async |url: String| {
        let db = open(&url).await;
        let mut keys = Vec::new();
        for _ in 0..25 {
            keys.push(db.allocate_unique_key(Table::Lport).await.unwrap());
        }
        keys
    };
    let clients = [server.url(), server.url(), server.url()].map(|url| tokio::spawn(take(url)));
    let mut keys: Vec<u32> =
        futures::future::join_all(clients).await.into_iter().flat_map(Result::unwrap).collect();
    keys.sort_unstable();
    assert_eq!(keys, (1..=75).collect::<Vec<_>>());
    // Dragonflow's counter continues.
    assert_eq!(server.does::<u32>(&["INCR", "{unique_key.}lport"]), 76);
    let db = open(&server.url()).await;
    db.transact(vec![lport("p", "a")]).await.unwrap();
    assert_eq!(db.get(Table::Lport, "p").await.unwrap().unwrap().json["unique_key"], 77);
}

#[tokio::test]
async fn writers_at_once_break_no_rule_together() {
    let server = Server::start();
    let ports: Vec<_> = ["parent", "left", "right"].iter().map(|id| lport(id, "")).collect();
    open(&server.url()).await.transact(ports).await.unwrap();
    for vid in 1..=10 {
        let claim = async |port: &str| {
            let json = json!({"parent": "parent", "port": port, "topic": "t", "segmentation_type": "vlan",
                "segmentation_id": vid});
            open(&server.url()).await.put(Table::ChildPortSegmentation, json).await
        };
        let (left, right) = tokio::join!(claim("left"), claim("right"));
        assert!(left.is_ok() != right.is_ok(), "{left:?} {right:?}");
        let db = open(&server.url()).await;
        let claims = db.list(Table::ChildPortSegmentation).await.unwrap();
        assert_eq!(claims.len(), 1);
        db.delete(Table::ChildPortSegmentation, &claims[0].id).await.unwrap();
    }
}

#[tokio::test]
async fn what_another_program_wrote_badly_is_passed_on() {
    let server = Server::start();
    server.does::<()>(&["SET", "{lport.t}torn", "{\"id\": "]);
    server.does::<()>(&["SET", "{lport.t}", "{}"]);
    server.does::<()>(&["SET", "{lport}p", "{}"]);
    server.does::<()>(&["SET", "{frobnicator.t}p", "{}"]);
    server.does::<()>(&["SET", "session:1", "x"]);
    server.does::<u32>(&["HSET", "{lport.t}hash", "a", "b"]);
    server.does::<()>(&["SET", "{lport.t}good", &lport_text("good", "g")]);
    let db = open(&server.url_with("reread=1")).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    let problems = |view: &Snapshot| -> Vec<String> {
        nb::Northbound::from_snapshot(view, &trunkpath::types::Incumbents::new())
            .invalid()
            .map(|(_, _, problem)| problem.to_string())
            .collect()
    };
    let found = problems(&follower.view);
    assert_eq!(found.len(), 4, "{found:?}");
    for expected in [
        "torn: \"{\\\"id\\\": \"",
        "{lport.t}: \"a key outside the layout",
        "{lport}p: ",
        "hash: \"a redis hash",
    ] {
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
    // Repaired or removed records are no problem any more.
    server.does::<()>(&["SET", "{lport.t}torn", &lport_text("torn", "t")]);
    server.does::<u32>(&["DEL", "{lport.t}", "{lport}p", "{lport.t}hash"]);
    follower.until(|view| problems(view).is_empty()).await;
    assert_eq!(
        nb::Northbound::from_snapshot(&follower.view, &trunkpath::types::Incumbents::new()).lports().len(),
        2
    );
}

#[tokio::test]
async fn ids_that_would_be_read_as_others_are_refused() {
    let server = Server::start();
    let db = open(&server.url()).await;
    let refused = db.transact(vec![lport("good", "g"), lport(".p", "")]).await.unwrap_err().to_string();
    assert!(refused.starts_with("lport .p: field id is \".p\": expected a text without a dot"), "{refused}");
    let json = json!({"id": "p", "topic": "a}b", "lswitch": "n"});
    let refused = db.put(Table::Lport, json).await.unwrap_err().to_string();
    assert!(refused.contains("field topic is \"a}b\""), "{refused}");
    assert!(keys(&server).is_empty());
}

#[tokio::test]
async fn a_put_among_many_reads_one_record() {
    let server = Server::start();
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut fill = redis::pipe();
    for key in 1..=3000 {
        let text =
            lport_text(&format!("p{key}"), "").replace("\"unique_key\":1", &format!("\"unique_key\":{key}"));
        fill.set(format!("{{lport.t}}p{key}"), text).ignore();
    }
    fill.set("{unique_key.}lport", 3000).ignore();
    fill.exec(&mut connection).unwrap();
    let db = open(&server.url()).await;
    let reads = |server: &Server| -> u64 {
        let stats: String = server.does(&["INFO", "stats"]);
        stats.lines().find_map(|line| line.strip_prefix("keyspace_hits:")).unwrap().parse().unwrap()
    };
    let before = reads(&server);
    // An existing record in another project, and a new one.
    let moved = json!({"id": "p7", "topic": "u", "lswitch": "n", "name": "moved"});
    db.put(Table::Lport, moved).await.unwrap();
    db.transact(vec![lport("new", "x")]).await.unwrap();
    assert!(reads(&server) - before < 20, "{} reads", reads(&server) - before);
    assert_eq!(server.does::<Vec<String>>(&["KEYS", "{lport.*}p7"]), ["{lport.u}p7"]);
    assert_eq!(db.get(Table::Lport, "p7").await.unwrap().unwrap().json["unique_key"], 7);
    assert_eq!(db.get(Table::Lport, "new").await.unwrap().unwrap().json["unique_key"], 3001);
}

#[tokio::test]
async fn a_stray_key_can_be_removed_by_its_name() {
    let server = Server::start();
    server.does::<()>(&["SET", "{lport}p", "{}"]);
    let db = open(&server.url()).await;
    assert!(db.get(Table::Lport, "{lport}p").await.unwrap().is_some());
    db.delete(Table::Lport, "{lport}p").await.unwrap();
    assert!(keys(&server).is_empty());
}
