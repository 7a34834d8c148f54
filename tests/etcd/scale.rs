//! Figures, not checks: `cargo test --release --test etcd -- --ignored --nocapture figures`.
#![allow(clippy::print_stdout, reason = "that is all it is for")]

use std::time::{Duration, Instant};

use etcd_client::{Client, Txn, TxnOp};
use serde_json::{Value, json};
use trunkpath::nb::{self, Northbound};

use super::follow::Reader;
use super::servers::Servers;
use super::{named, open, raw, subport};

const PARENTS: u32 = 1_000;
const SUBPORTS: u32 = 100;

fn port(id: &str, key: u32) -> Value {
    json!({"allowed_address_pairs": [], "binding_vnic_type": "normal", "device_id": "", "device_owner": "",
        "enabled": true, "id": id, "ips": ["192.168.18.3"], "lswitch": "2b3c9a52-6a6f-4c5b-9d0e-9a43e2f0c002",
        "macs": [format!("fa:16:3e:{:02x}:{:02x}:{:02x}", key >> 16, (key >> 8) & 255, key & 255)], "name": id,
        "port_security_enabled": true, "security_groups": [], "subnets": [], "topic": "t", "unique_key": key, "version": 1})
}

/// The records of a parent and its subports, as puts.
fn family(parent: u32) -> Vec<TxnOp> {
    let id = |index: u32| format!("c0a80101-1111-4aaa-8bbb-{:06}{index:06}", parent + 1);
    let put = |table: &str, json: Value| {
        TxnOp::put(format!("/{table}/{}", json["id"].as_str().unwrap()), json.to_string(), None)
    };
    let key = parent * (SUBPORTS + 1) + 1;
    let ports = (0..=SUBPORTS).map(|index| put("lport", port(&id(index), key + index)));
    let segmentations = (1..=SUBPORTS).map(|index| {
        let segmentation_id = nb::segmentation_id(&id(0), &id(index));
        put(
            "child_port_segmentation",
            json!({"id": segmentation_id, "parent": id(0), "port": id(index),
            "segmentation_id": index, "segmentation_type": "vlan", "topic": "t"}),
        )
    });
    ports.chain(segmentations).collect()
}

async fn load(client: &mut Client) {
    for parent in 0..PARENTS {
        for ops in family(parent).chunks(128) {
            client.txn(Txn::new().and_then(ops)).await.unwrap();
        }
    }
    let last = PARENTS * (SUBPORTS + 1);
    client.put("/unique_key/lport", last.to_string(), None).await.unwrap();
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100])
}

#[tokio::test]
#[ignore = "takes minutes; for figures"]
async fn figures() {
    let servers = Servers::start(1).await;
    let mut client = raw(&servers).await;
    load(&mut client).await;
    let db = open(&servers.url()).await;

    for _ in 0..3 {
        let start = Instant::now();
        let snapshot = db.snapshot().await.unwrap();
        let read = start.elapsed();
        let northbound = Northbound::from_snapshot(&snapshot);
        println!("{} records: read {read:?}, typed {:?}", snapshot.records.len(), start.elapsed());
        assert_eq!(northbound.segmentations().len(), (PARENTS * SUBPORTS) as usize);
    }

    let mut reader = Reader::start(&db).await;
    let mut latencies = Vec::new();
    for change in 0..500 {
        let json = port("one", 1_000_000 + change).to_string();
        let start = Instant::now();
        let (answer, set) = tokio::join!(client.put("/lport/one", json, None), reader.next());
        answer.unwrap();
        set.unwrap();
        latencies.push(start.elapsed());
    }
    println!("put by another client -> change set: {}", percentiles(latencies));

    let mut burst = client.clone();
    let start = Instant::now();
    let writing = async {
        for change in 0..10_000_u32 {
            burst
                .put(format!("/lport/burst{}", change % 100), port("x", change).to_string(), None)
                .await
                .unwrap();
        }
    };
    let reading = async {
        for _ in 0..10_000 {
            reader.next().await.unwrap();
        }
    };
    tokio::join!(writing, reading);
    println!("10000 changes written and followed one by one: {:?}", start.elapsed());

    for (what, op) in [("lport", named("new", "x")), ("segmentation", subport("one", "new", 7))] {
        let start = Instant::now();
        db.transact(vec![op]).await.unwrap();
        println!("transact one {what}: {:?}", start.elapsed());
    }
}
