//! Reports that are valid while a host lives.

use std::collections::BTreeSet;
use std::time::Duration;

use etcd_client::{Client, GetOptions};
use serde_json::json;
use trunkpath::nb::{self, Table};

use super::servers::Servers;
use super::{LIMIT, open, raw};
use testkit::reporting_host::{ReportingHost, up};

async fn reported(raw: &mut Client) -> BTreeSet<String> {
    let found = raw.get("/trunkpath/", Some(GetOptions::new().with_prefix())).await.unwrap();
    let name = |pair: &etcd_client::KeyValue| {
        let key = pair.key_str().unwrap().strip_prefix("/trunkpath/").unwrap();
        let value: serde_json::Value = serde_json::from_slice(pair.value()).unwrap();
        format!("{key} {}", value["chassis"].as_str().unwrap())
    };
    // Without the lock of writers of records.
    found.kvs().iter().filter(|pair| pair.key() != b"/trunkpath/writer").map(name).collect()
}

pub(crate) async fn until(raw: &mut Client, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    let waiting = async {
        while reported(raw).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    assert!(waited.is_ok(), "{:?}, expected {expected:?}", reported(raw).await);
}

#[tokio::test]
async fn a_port_is_reported_exactly_while_it_is_up() {
    let mut servers = Servers::start(1).await;
    let mut client = raw(&servers).await;
    let one = nb::reports(&servers.url(), "one").await.unwrap();
    until(&mut client, &["chassis/one one"]).await;
    up(&one, &["a", "b"]);
    until(&mut client, &["chassis/one one", "port_up/a one", "port_up/b one"]).await;
    up(&one, &["b"]);
    until(&mut client, &["chassis/one one", "port_up/b one"]).await;

    // The port moves to another host; the withdrawal of the first host does not remove it.
    let two = nb::reports(&servers.url(), "two").await.unwrap();
    up(&two, &["b"]);
    until(&mut client, &["chassis/one one", "chassis/two two", "port_up/b two"]).await;
    up(&one, &["c"]);
    until(&mut client, &["chassis/one one", "chassis/two two", "port_up/b two", "port_up/c one"]).await;
    one.end().await;
    assert_eq!(reported(&mut client).await.len(), 2);

    // The server restarts; then the lease is revoked.
    servers.kill(0);
    servers.run(0);
    let lease = loop {
        let found = client.get("/trunkpath/port_up/b", None).await;
        if let Some(pair) = found.ok().and_then(|found| found.kvs().first().cloned()) {
            break pair.lease();
        }
    };
    client.lease_revoke(lease).await.unwrap();
    until(&mut client, &["chassis/two two", "port_up/b two"]).await;
    drop(two);
    until(&mut client, &[]).await;
}

#[tokio::test]
async fn a_physical_network_is_reported_exactly_while_it_has_an_uplink() {
    let servers = Servers::start(1).await;
    let mut client = raw(&servers).await;
    let one = nb::reports(&servers.url(), "one").await.unwrap();
    one.set_physical_networks(["physnet1", "rack/a"].into_iter());
    until(&mut client, &["chassis/one one", "chassis/one/physnet1 one", "chassis/one/rack/a one"]).await;
    one.set_physical_networks(["physnet2"].into_iter());
    until(&mut client, &["chassis/one one", "chassis/one/physnet2 one"]).await;
    one.end().await;
    until(&mut client, &[]).await;
}

#[tokio::test]
async fn the_reports_of_a_host_that_dies_go_with_it() {
    let servers = Servers::start(1).await;
    let mut client = raw(&servers).await;
    let host = ReportingHost::start(servers.url()).await;
    until(&mut client, &["chassis/one one", "port_up/a one"]).await;
    host.kill();
    until(&mut client, &[]).await;
}

#[tokio::test]
async fn an_unreachable_store_gets_the_reports_when_it_is_back() {
    let mut servers = Servers::start(1).await;
    servers.kill(0);
    let reports = nb::reports(&servers.url(), "one").await.unwrap();
    up(&reports, &["a"]);
    let failing = async {
        while reports.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, failing).await.unwrap();
    assert!(reports.failure().unwrap().contains("no server answers"));
    servers.run(0);
    let mut client = raw(&servers).await;
    let serving = async {
        while client.get("x", None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, serving).await.unwrap();
    until(&mut client, &["chassis/one one", "port_up/a one"]).await;
    // It is in the store shortly before its writer has the answer.
    let known = async {
        while reports.failure().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, known).await.unwrap();
}

#[tokio::test]
async fn the_chassis_record_is_dragonflows() {
    let servers = Servers::start(1).await;
    let db = open(&servers.url()).await;
    let ip = "10.0.0.1".parse().unwrap();
    nb::write_chassis(&*db, "one", ip).await.unwrap();
    let mut client = raw(&servers).await;
    let found = client.get("/chassis/one", None).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(found.kvs()[0].value()).unwrap();
    assert_eq!(json, json!({"id": "one", "ip": "10.0.0.1", "tunnel_types": ["vxlan", "geneve", "gre"]}));
    // Fields that Dragonflow's controller wrote stay; an unchanged report writes nothing.
    db.put(
        Table::Chassis,
        json!({"id": "one", "ip": "10.0.0.9", "tunnel_types": ["gre"], "external_host_ip": "172.24.4.1"}),
    )
    .await
    .unwrap();
    let first = nb::write_chassis(&*db, "one", ip).await.unwrap();
    let json = db.get(Table::Chassis, "one").await.unwrap().unwrap().json;
    assert_eq!(
        json,
        json!({"id": "one", "ip": "10.0.0.1", "tunnel_types": ["gre"], "external_host_ip": "172.24.4.1"})
    );
    nb::write_chassis(&*db, "one", ip).await.unwrap();
    assert_eq!(
        client.get("/chassis/one", None).await.unwrap().kvs()[0].mod_revision(),
        first.0.cast_signed()
    );
}
