//! A scenario of any size: parents with subports on many hosts, in the form of Dragonflow's records.

use serde_json::{Value, json};
use trunkpath::nb::{self, Record, RecordId, Table};

/// Subports of each parent.
pub const SUBPORTS: u32 = 100;
/// Parents of each host.
pub const PARENTS_PER_HOST: u32 = 10;

/// First `unique_key`; lower ones are free for other records.
const FIRST_KEY: u32 = 1_000_000;

/// Parents with [`SUBPORTS`] subports each, [`PARENTS_PER_HOST`] on a host.
#[derive(Debug, Clone, Copy)]
pub struct LargeScenario {
    pub parents: u32,
}

pub fn network_id(number: u32) -> String {
    format!("3b3c9a52-6a6f-4c5b-9d0e-{number:012}")
}

/// Id of a port: index 0 is the parent, higher ones are its subports.
pub fn port_id(parent: u32, index: u32) -> String {
    format!("d0a80101-1111-4aaa-8bbb-{parent:06}{index:06}")
}

/// Chassis of the host of a parent.
pub fn host(parent: u32) -> String {
    format!("compute-{}", parent / PARENTS_PER_HOST)
}

fn record(table: Table, json: Value) -> Record {
    Record { table, id: json["id"].as_str().unwrap_or_default().to_owned(), json }
}

fn network(number: u32) -> Record {
    let json = json!({"id": network_id(number), "is_external": false, "mtu": 1450, "name": format!("net-{number}"),
        "network_type": "vxlan", "segmentation_id": number + 1, "topic": "t", "unique_key": FIRST_KEY + number, "version": 1});
    record(Table::Lswitch, json)
}

fn port(parent: u32, index: u32) -> Record {
    let key = FIRST_KEY + parent * (SUBPORTS + 1) + index;
    let [_, a, b, c] = key.to_be_bytes();
    let mut json = json!({"allowed_address_pairs": [], "binding_vnic_type": "normal", "device_id": "", "device_owner": "",
        "dhcp_params": {"opts": {}}, "enabled": true, "id": port_id(parent, index), "ips": ["192.168.18.3"],
        "lswitch": network_id(index), "macs": [format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}")],
        "name": format!("port-{parent}-{index}"), "port_security_enabled": true, "security_groups": [],
        "subnets": [], "topic": "t", "unique_key": key, "version": 1});
    if index == 0 {
        json["binding"] = json!({"type": "chassis", "chassis": host(parent)});
    }
    record(Table::Lport, json)
}

/// The segmentation that makes subport `index` the owner of `vid` on its parent.
pub fn segmentation(parent: u32, index: u32, vid: u32) -> Record {
    let (above, below) = (port_id(parent, 0), port_id(parent, index));
    let json = json!({"id": nb::segmentation_id(&above, &below), "parent": above, "port": below,
        "segmentation_id": vid, "segmentation_type": "vlan", "topic": "t"});
    record(Table::ChildPortSegmentation, json)
}

impl LargeScenario {
    /// Every record. Subport `index` of each parent is on network `index`, with that tag.
    pub fn records(self) -> impl Iterator<Item = Record> {
        let networks = (0..=SUBPORTS).map(network);
        let family = |parent| {
            let ports = (0..=SUBPORTS).map(move |index| port(parent, index));
            ports.chain((1..=SUBPORTS).map(move |index| segmentation(parent, index, index)))
        };
        networks.chain((0..self.parents).flat_map(family))
    }
}

/// A record in the form for [`crate::stores::Writer`].
pub fn write(record: &Record) -> (RecordId, Option<String>) {
    (RecordId { table: record.table, id: record.id.clone() }, Some(record.json.to_string()))
}
