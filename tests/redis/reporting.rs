//! Reports that are valid while a host lives.

use std::collections::BTreeSet;

use super::*;
use testkit::reporting_host::{ReportingHost, up};

fn reported(server: &Server) -> BTreeSet<String> {
    let keys: Vec<String> = server.does(&["KEYS", "/trunkpath/*"]);
    let mut reported = BTreeSet::new();
    for key in keys {
        // It may expire between the two commands.
        let value: Option<String> = server.does(&["GET", &key]);
        if let Some(value) = value {
            let value: Value = serde_json::from_str(&value).unwrap();
            let name = key.strip_prefix("/trunkpath/").unwrap();
            reported.insert(format!("{name} {}", value["chassis"].as_str().unwrap()));
        }
    }
    reported
}

async fn until(server: &Server, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    let waiting = async {
        while reported(server) != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{:?}, expected {expected:?}", reported(server));
}

#[tokio::test]
async fn a_port_is_reported_exactly_while_it_is_up() {
    let mut server = Server::start();
    let one = nb::reports(&server.url(), "one").await.unwrap();
    until(&server, &["chassis/one one"]).await;
    up(&one, &["a", "b"]);
    until(&server, &["chassis/one one", "port_up/a one", "port_up/b one"]).await;
    let held: i64 = server.does(&["PTTL", "/trunkpath/port_up/a"]);
    assert!((1..=10_000).contains(&held), "{held}");
    up(&one, &["b"]);
    until(&server, &["chassis/one one", "port_up/b one"]).await;

    // The port moves to another host; the first one neither reclaims nor removes it.
    let two = nb::reports(&server.url(), "two").await.unwrap();
    up(&two, &["b"]);
    until(&server, &["chassis/one one", "chassis/two two", "port_up/b two"]).await;
    up(&one, &["b", "c"]);
    until(&server, &["chassis/one one", "chassis/two two", "port_up/b two", "port_up/c one"]).await;
    up(&one, &["c"]);
    until(&server, &["chassis/one one", "chassis/two two", "port_up/b two", "port_up/c one"]).await;
    one.end().await;
    assert_eq!(reported(&server).len(), 2);

    // The server loses its data, and then restarts.
    server.does::<()>(&["FLUSHALL"]);
    until(&server, &["chassis/two two", "port_up/b two"]).await;
    server.stop();
    server.start_again();
    until(&server, &["chassis/two two", "port_up/b two"]).await;
    drop(two);
    until(&server, &[]).await;
}

#[tokio::test]
async fn a_physical_network_is_reported_exactly_while_it_has_an_uplink() {
    let server = Server::start();
    let one = nb::reports(&server.url(), "one").await.unwrap();
    one.set_physical_networks(["physnet1", "rack/a"].into_iter());
    until(&server, &["chassis/one one", "chassis/one/physnet1 one", "chassis/one/rack/a one"]).await;
    one.set_physical_networks(["physnet2"].into_iter());
    until(&server, &["chassis/one one", "chassis/one/physnet2 one"]).await;
    one.end().await;
    until(&server, &[]).await;
}

#[tokio::test]
async fn the_reports_of_a_host_that_dies_go_with_it() {
    let server = Server::start();
    let host = ReportingHost::start(server.url()).await;
    until(&server, &["chassis/one one", "port_up/a one"]).await;
    host.kill();
    until(&server, &[]).await;
}

#[tokio::test]
async fn an_unreachable_server_gets_the_reports_when_it_is_back() {
    let mut server = Server::start();
    server.stop();
    let reports = nb::reports(&server.url(), "one").await.unwrap();
    up(&reports, &["a"]);
    let failing = async {
        while reports.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, failing).await.unwrap();
    assert!(reports.failure().unwrap().contains("is redis-server running there"));
    server.start_again();
    until(&server, &["chassis/one one", "port_up/a one"]).await;
    let told = async {
        while reports.failure().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}
