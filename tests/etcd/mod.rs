//! The northbound DB in etcd, on real servers that each test starts on loopback.

mod access;
mod breaks;
mod certificates;
mod follow;
mod history;
mod quota;
mod replaced;
mod reporting;
mod servers;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use serde_json::{Value, json};
use servers::Servers;
use trunkpath::nb::{self, NorthboundDb, Op, Table};

/// Time limit of each wait, for slow machines.
const LIMIT: Duration = Duration::from_mins(1);

async fn open(url: &str) -> Arc<dyn NorthboundDb> {
    nb::open(url).await.unwrap()
}

/// A client of etcd, as another program has it.
async fn raw(servers: &Servers) -> Client {
    Client::connect(servers.endpoints(), Some(ConnectOptions::new().with_timeout(Duration::from_secs(5))))
        .await
        .unwrap()
}

fn lport(id: &str) -> Op {
    Op::Put { table: Table::Lport, json: json!({"id": id, "topic": "t", "lswitch": "n"}) }
}

fn named(id: &str, name: &str) -> Op {
    Op::Put { table: Table::Lport, json: json!({"id": id, "topic": "t", "lswitch": "n", "name": name}) }
}

fn subport(parent: &str, port: &str, vid: u64) -> Op {
    let json: Value = json!({"parent": parent, "port": port, "topic": "t", "segmentation_type": "vlan", "segmentation_id": vid});
    Op::Create { table: Table::ChildPortSegmentation, json }
}

fn delete(id: &str) -> Op {
    Op::Delete { table: Table::Lport, id: id.to_owned() }
}
