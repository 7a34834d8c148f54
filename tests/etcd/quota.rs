//! A full store: every request has an outcome, and reported ports are those that the store has confirmed.

use std::process::{Command, Stdio};
use std::time::Duration;

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, DeleteOptions};
use trunkpath::nb;

use super::reporting::until;
use super::servers::Servers;
use super::{LIMIT, lport, open, raw};
use testkit::reporting_host::up;

/// Waits for a condition.
async fn wait_for(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap();
}

/// Runs `trunkpath nb`, which must fail, and returns its error.
fn refused(url: &str, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkpath"));
    let output = command.args(["nb", "--nb", url]).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// Writes other keys until the quota is used up.
async fn fill(client: &mut Client) {
    let value = vec![b'x'; 900_000];
    for number in 0..20 {
        if client.put(format!("/other/{number}"), value.clone(), None).await.is_err() {
            return;
        }
    }
    panic!("the quota holds nothing up");
}

/// The repair of docs/northbound.md.
async fn repair(client: &mut Client) {
    let deleted = client.delete("/other/", Some(DeleteOptions::new().with_prefix())).await.unwrap();
    client.compact(deleted.header().unwrap().revision(), None).await.unwrap();
    client.defragment().await.unwrap();
    let member = client.status().await.unwrap().header().unwrap().member_id();
    let mut options = AlarmOptions::new();
    options.with_member(member);
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await.unwrap();
}

#[tokio::test]
async fn a_store_without_space_is_named_and_used_again_after_repair() {
    let servers = Servers::start_with(&["--quota-backend-bytes=4000000"]).await;
    let url = servers.url();
    let db = open(&url).await;
    db.transact(vec![lport("a")]).await.unwrap();
    let reports = nb::reports(&url, "one").await.unwrap();
    up(&reports, &["a"]);
    wait_for(|| reports.confirmed_up() == 1).await;
    let mut client = raw(&servers).await;
    fill(&mut client).await;

    let words = ["database space exceeded", "alarm disarm"];
    let error = db.transact(vec![lport("b")]).await.unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert_eq!(db.snapshot().await.unwrap().records.len(), 1, "it is read as before");
    let json = r#"{"id": "b", "topic": "t", "lswitch": "n"}"#;
    let error = refused(&url, &["put", "lport", json]);
    assert!(words.iter().all(|word| error.contains(word)), "{error}");

    // A report that the store did not accept is not counted, and old ones only while the store holds them.
    up(&reports, &["a", "b"]);
    wait_for(|| reports.failure().is_some_and(|failure| failure.contains(words[0]))).await;
    assert!(reports.confirmed_up() <= 1);
    wait_for(|| reports.confirmed_up() == 0).await;
    until(&mut client, &[]).await;

    repair(&mut client).await;
    until(&mut client, &["chassis/one one", "port_up/a one", "port_up/b one"]).await;
    wait_for(|| reports.confirmed_up() == 2 && reports.failure().is_none()).await;
    db.transact(vec![lport("b")]).await.unwrap();
}

#[tokio::test]
async fn a_command_ends_at_its_deadline_and_repeats_the_last_failure() {
    let servers = Servers::start(2).await;
    servers.freeze(0);
    servers.freeze(1);
    let error = refused(&servers.url(), &["list", "lport", "--timeout", "6"]);
    servers.thaw(0);
    servers.thaw(1);
    for words in ["no result within 6 s", "did not answer within 4 s", "--timeout"] {
        assert!(error.contains(words), "{error}");
    }
}
