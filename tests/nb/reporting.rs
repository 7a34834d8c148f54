//! Reports of hosts in the embedded DB.

use std::time::Duration;

use rusqlite::Connection;
use trunkpath::nb::{self, Reports};

use super::DbFolder;

/// Reports that have not expired.
fn reported(folder: &DbFolder) -> Vec<String> {
    let connection = Connection::open(folder.file()).unwrap();
    let sql = "SELECT kind || ' ' || id || ' ' || chassis FROM report
               WHERE expires > unixepoch('subsec') ORDER BY kind, id";
    let Ok(mut statement) = connection.prepare(sql) else { return Vec::new() };
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

async fn until(folder: &DbFolder, expected: &[&str]) {
    let waiting = async {
        while reported(folder) != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(waited.is_ok(), "{:?}, expected {expected:?}", reported(folder));
}

fn up(reports: &Reports, ports: &[&str]) {
    reports.set(["a", "b"].map(|port| (port, ports.contains(&port))));
}

#[tokio::test]
async fn a_port_is_reported_exactly_while_it_is_up() {
    let folder = DbFolder::new();
    let one = nb::reports(&folder.url(), "one").await.unwrap();
    up(&one, &["a", "b"]);
    until(&folder, &["chassis one one", "port_up a one", "port_up b one"]).await;
    let two = nb::reports(&folder.url(), "two").await.unwrap();
    up(&two, &["b"]);
    until(&folder, &["chassis one one", "chassis two two", "port_up a one", "port_up b two"]).await;
    up(&one, &[]);
    until(&folder, &["chassis one one", "chassis two two", "port_up b two"]).await;
    one.end().await;
    assert_eq!(reported(&folder), ["chassis two two", "port_up b two"]);
    drop(two);
    until(&folder, &[]).await;
}

#[tokio::test]
async fn a_physical_network_is_reported_exactly_while_it_has_an_uplink() {
    let folder = DbFolder::new();
    let one = nb::reports(&folder.url(), "one").await.unwrap();
    one.set_physical_networks(["physnet1"].into_iter());
    until(&folder, &["chassis one one", "chassis one/physnet1 one"]).await;
    one.set_physical_networks(["physnet2"].into_iter());
    until(&folder, &["chassis one one", "chassis one/physnet2 one"]).await;
    one.end().await;
    assert!(reported(&folder).is_empty());
}
