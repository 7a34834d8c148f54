//! Killed writers, and writers at the same time.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use super::{DbFolder, line, lport_line, succeeded};

const RECORDS: usize = 200;

/// A transaction of [`RECORDS`] ports whose names begin with `name`.
fn transaction(name: &str) -> String {
    (0..RECORDS).map(|index| lport_line(&format!("{name}-{index}"))).collect()
}

fn is_sound(folder: &DbFolder) -> bool {
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap() == "ok"
}

#[test]
fn a_killed_writer_leaves_all_of_its_transaction_or_nothing() {
    const ROUNDS: u32 = 16;
    let folder = DbFolder::new();
    let started = Instant::now();
    succeeded(&folder.apply(&transaction("first")));
    let longest = started.elapsed();

    let mut acknowledged = BTreeSet::from(["first".to_owned()]);
    for round in 0..ROUNDS {
        let name = format!("round{round}");
        let mut writer = folder.applying(&transaction(&name));
        // No condition to wait for: the kill should hit a different moment each time.
        std::thread::sleep(longest * round / ROUNDS);
        writer.kill().unwrap();
        if writer.wait().unwrap().success() {
            acknowledged.insert(name);
        }
    }

    let ports = folder.list("lport");
    let round_of =
        |port: &serde_json::Value| port["id"].as_str().unwrap().split('-').next().unwrap().to_owned();
    let written: BTreeSet<String> = ports.iter().map(round_of).collect();
    assert!(written.is_superset(&acknowledged), "{acknowledged:?} were reported, {written:?} are there");
    assert_eq!(ports.len(), written.len() * RECORDS, "only whole transactions");
    assert!(is_sound(&folder));
    // The next writer succeeds.
    succeeded(&folder.apply(&transaction("last")));
}

#[test]
fn a_killed_init_leaves_a_whole_db_or_none() {
    const ROUNDS: u32 = 12;
    let started = Instant::now();
    DbFolder::new().nb(&["init"]);
    let longest = started.elapsed();
    for round in 0..ROUNDS {
        let folder = DbFolder::new();
        let mut init = folder.command(&["init"]).spawn().unwrap();
        std::thread::sleep(longest * round / ROUNDS);
        init.kill().unwrap();
        init.wait().unwrap();
        succeeded(&folder.apply(&lport_line("p")));
    }
}

#[test]
fn many_may_make_and_fill_one_db_at_once() {
    const WRITERS: usize = 8;
    let folder = DbFolder::new();
    let writers: Vec<_> = (0..WRITERS).map(|name| folder.applying(&transaction(&name.to_string()))).collect();
    for writer in writers {
        succeeded(&writer.wait_with_output().unwrap());
    }
    let keys: BTreeSet<u64> =
        folder.list("lport").iter().map(|port| port["unique_key"].as_u64().unwrap()).collect();
    assert_eq!(keys, (1..=(WRITERS * RECORDS) as u64).collect());
    assert!(is_sound(&folder));
}

#[test]
fn of_two_writers_of_one_tag_one_is_rejected() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&["parent", "left", "right"].map(lport_line).concat()));
    for vid in 1..=20 {
        let claim = |port: &str| {
            let json = json!({"parent": "parent", "port": port, "topic": "t", "segmentation_type": "vlan",
                "segmentation_id": vid});
            folder.applying(&line("child_port_segmentation", &json))
        };
        let claims = [claim("left"), claim("right")].map(|claim| claim.wait_with_output().unwrap());
        assert_eq!(claims.iter().filter(|claim| claim.status.success()).count(), 1);
        let winner = if claims[0].status.success() { "left" } else { "right" };
        assert_eq!(folder.list("child_port_segmentation").len(), 1);
        folder.nb(&["del-subport", "parent", winner]);
    }
}

#[test]
fn a_writer_waits_for_another_ones_transaction() {
    let folder = DbFolder::new();
    folder.nb(&["init"]);
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writer = folder.applying(&lport_line("p"));
    // A reader is not blocked.
    assert!(folder.list("lport").is_empty());
    assert!(writer.try_wait().unwrap().is_none(), "it waits");
    other.execute_batch("ROLLBACK").unwrap();
    succeeded(&writer.wait_with_output().unwrap());
    assert_eq!(folder.list("lport").len(), 1);
}
