//! Several writers at once, including Dragonflow's driver.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Output, Stdio};

use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use serde_json::{Value, json};
use trunkpath::nb::{NbError, RecordError, Table};

use super::follow::Reader;
use super::servers::Servers;
use super::{lport, named, open, raw, subport};

/// Allocates a key as Dragonflow's driver does.
async fn allocate_as_dragonflow(client: &mut Client) -> u32 {
    let key = "/unique_key/lport";
    loop {
        let found = client.get(key, None).await.unwrap();
        let (compare, next) = match found.kvs().first() {
            None => (Compare::create_revision(key, CompareOp::Equal, 0), 1),
            Some(pair) => {
                let next: u32 = pair.value_str().unwrap().parse().unwrap();
                (Compare::value(key, CompareOp::Equal, pair.value()), next + 1)
            }
        };
        let put = TxnOp::put(key, next.to_string(), None);
        if client.txn(Txn::new().when([compare]).and_then([put])).await.unwrap().succeeded() {
            return next;
        }
    }
}

#[tokio::test]
async fn unique_keys_are_given_once_by_two_of_us_and_dragonflow() {
    let servers = Servers::start(1).await;
    let (one, two) = (open(&servers.url()).await, open(&servers.url()).await);
    let mut dragonflow = raw(&servers).await;
    let allocate = |db: std::sync::Arc<dyn trunkpath::nb::NorthboundDb>| async move {
        let mut keys = Vec::new();
        for _ in 0..50 {
            keys.push(db.allocate_unique_key(Table::Lport).await.unwrap());
        }
        keys
    };
    let theirs = async {
        let mut keys = Vec::new();
        for _ in 0..50 {
            keys.push(allocate_as_dragonflow(&mut dragonflow).await);
        }
        keys
    };
    let (a, b, c) = tokio::join!(allocate(one), allocate(two), theirs);
    let all: BTreeSet<_> = [a, b, c].concat().into_iter().collect();
    assert_eq!((all.len(), all.first().copied(), all.last().copied()), (150, Some(1), Some(150)));
    assert_eq!(dragonflow.get("/unique_key/lport", None).await.unwrap().kvs()[0].value(), b"150");
}

#[tokio::test]
async fn of_two_that_break_a_rule_together_one_is_refused() {
    let servers = Servers::start(1).await;
    let (one, two) = (open(&servers.url()).await, open(&servers.url()).await);
    one.transact(vec![lport("p"), lport("a"), lport("b")]).await.unwrap();
    for vid in 1..=20 {
        let (a, b) = tokio::join!(
            one.transact(vec![subport("p", "a", vid)]),
            two.transact(vec![subport("p", "b", vid)])
        );
        let refused: Vec<_> = [a, b].into_iter().filter_map(Result::err).collect();
        assert!(
            matches!(refused.as_slice(), [NbError::Rejected { reason: RecordError::TagTaken { .. }, .. }]),
            "{refused:?}"
        );
        for record in one.list(Table::ChildPortSegmentation).await.unwrap() {
            one.delete(Table::ChildPortSegmentation, &record.id).await.unwrap();
        }
    }
    // Each writer increments the version by one.
    let rename = |db: std::sync::Arc<dyn trunkpath::nb::NorthboundDb>, who: &'static str| async move {
        for change in 0..20 {
            db.transact(vec![named("p", &format!("{who}{change}"))]).await.unwrap();
        }
    };
    tokio::join!(rename(std::sync::Arc::clone(&one), "one"), rename(two, "two"));
    assert_eq!(one.get(Table::Lport, "p").await.unwrap().unwrap().json["version"], 41);
}

#[tokio::test]
async fn thousands_go_in_one_transaction_and_more_are_refused_whole() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let mut reader = Reader::start(&db).await;
    let ports = (0..3_000).map(|port| lport(&format!("p{port}"))).collect();
    let revision = db.transact(ports).await.unwrap();
    assert_eq!(reader.next().await.unwrap().changes.len(), 3_000);
    assert_eq!(reader.revision, revision);
    // Many records in one request are compared as well.
    let again = (0..300).map(|port| named(&format!("p{port}"), "again")).collect();
    db.transact(again).await.unwrap();
    assert_eq!(reader.next().await.unwrap().changes.len(), 300);

    let many = (0..5_000).map(|port| lport(&format!("q{port}"))).collect();
    let error = db.transact(many).await.unwrap_err().to_string();
    assert!(
        error.contains("5001 records is more than one etcd transaction takes, nothing was written")
            || error.contains("5000 records"),
        "{error}"
    );
    let big = (0..1_000).map(|port| named(&format!("q{port}"), &"x".repeat(3_000))).collect();
    let error = db.transact(big).await.unwrap_err().to_string();
    assert!(error.contains("nothing was written: apply it in smaller parts"), "{error}");
    assert_eq!(db.list(Table::Lport).await.unwrap().len(), 3_000);
    reader.assert_same_as_a_fresh_read().await;
}

fn nb(url: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkpath"));
    command.args(["nb", "--nb", url]).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn succeeded(url: &str, args: &[&str], input: &str) -> String {
    let output = nb(url, args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(url: &str, args: &[&str], input: &str) -> String {
    let output = nb(url, args, input);
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap().to_string()).collect()
}

#[tokio::test]
async fn the_fixtures_go_in_and_come_out_by_the_cli() {
    let servers = Servers::start(1).await;
    let url = servers.url();
    assert_eq!(succeeded(&url, &["init"], ""), format!("{url} is ready\n"));
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dragonflow-nb-records.jsonl");
    let fixture = std::fs::read_to_string(fixture).unwrap();
    succeeded(&url, &["apply", "-"], &fixture);
    // The last line of a record is in force.
    let mut records = BTreeMap::new();
    for line in fixture.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let key = format!("/{}/{}", line["table"].as_str().unwrap(), line["record"]["id"].as_str().unwrap());
        records.insert(key, line);
    }
    let expected = records.values().map(Value::to_string).collect();
    assert_eq!(lines(&succeeded(&url, &["dump"], "")), expected);
    // Each record under its own key, as Dragonflow reads it.
    let mut raw = raw(&servers).await;
    for (key, line) in records {
        let found = raw.get(key.as_str(), None).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(found.kvs()[0].value()).unwrap(), line["record"], "{key}");
    }
    // Applying the lines again changes nothing.
    let before = raw.get("/", None).await.unwrap().header().unwrap().revision();
    succeeded(&url, &["apply", "-"], &succeeded(&url, &["dump"], ""));
    assert_eq!(raw.get("/", None).await.unwrap().header().unwrap().revision(), before);
}

#[tokio::test]
async fn the_cli_has_the_same_commands() {
    let servers = Servers::start(1).await;
    let url = format!("{}/df", servers.url());
    for id in ["p", "a"] {
        succeeded(&url, &["put", "lport", &json!({"id": id, "topic": "t", "lswitch": "n"}).to_string()], "");
    }
    let added = succeeded(&url, &["add-subport", "p", "a", "7"], "");
    assert!(added.starts_with("a is a subport of p, VLAN 7: child_port_segmentation "), "{added}");
    assert!(refused(&url, &["delete", "lport", "a"], "").contains("is the port of child_port_segmentation"));
    assert!(succeeded(&url, &["list", "child_port_segmentation"], "").contains('7'));
    assert!(succeeded(&url, &["get", "lport", "a"], "").contains("\"unique_key\": 2"));
    succeeded(&url, &["del-subport", "p", "a"], "");
    succeeded(&url, &["delete", "lport", "a"], "");
    assert!(refused(&url, &["get", "lport", "a"], "").contains("no lport a"));
    let error = refused(
        &url,
        &["apply", "-"],
        "{\"table\": \"lport\", \"record\": {\"id\": \"b\", \"topic\": \"t\", \"lswitch\": \"n\"}}\n{\"table\": \"lport\", \"record\": {\"id\": \"c\"}}",
    );
    assert!(error.contains("line 2"), "{error}");
    assert_eq!(lines(&succeeded(&url, &["dump"], "")).len(), 1);
    assert!(refused("etcd://127.0.0.1:1", &["dump"], "").contains("no server answers"));
}
