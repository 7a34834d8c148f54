//! Records as Dragonflow stores them, one JSON line each for `trunkpath nb apply`.

use serde_json::{Value, json};

use crate::frame::Mac;

/// The name of the testbed's host in the records.
pub const CHASSIS: &str = "testbed";

const TOPIC: &str = "8f3a1f0cb1f14a8f9c9a4c1df8a51bd2";

/// Id of the network with this `unique_key`.
pub fn network_id(key: u32) -> String {
    format!("2b3c9a52-6a6f-4c5b-9d0e-{key:012x}")
}

/// Id of the port with this `unique_key`. The first eleven characters differ for each key: `tap` and these
/// are a link name.
pub fn port_id(key: u32) -> String {
    format!("c0a8{key:04x}-1111-4aaa-8bbb-{key:012x}")
}

pub fn network(key: u32) -> Value {
    line(
        "lswitch",
        &json!({
            "id": network_id(key), "unique_key": key, "version": 1, "topic": TOPIC, "name": format!("net{key}"),
            "is_external": false, "mtu": 1500, "network_type": "vxlan", "segmentation_id": 1000 + key,
        }),
    )
}

/// A logical port, bound to this host if `bound`. A subport is bound to none.
pub fn port(key: u32, network: u32, name: &str, mac: Mac, bound: bool) -> Value {
    let mut record = json!({
        "id": port_id(key), "unique_key": key, "version": 1, "topic": TOPIC, "name": name,
        "lswitch": network_id(network), "macs": [text(mac)], "ips": [], "subnets": [], "enabled": true,
        "allowed_address_pairs": [], "security_groups": [], "port_security_enabled": false,
        "binding_vnic_type": "normal", "device_id": "", "device_owner": "",
    });
    if bound {
        record["binding"] = json!({"type": "chassis", "chassis": CHASSIS});
    }
    line("lport", &record)
}

/// A VLAN subport: `subport` is behind `parent`, with `vid`. The id is left to `nb apply`.
pub fn segmentation(parent: u32, subport: u32, vid: u16) -> Value {
    line(
        "child_port_segmentation",
        &json!({
            "parent": port_id(parent), "port": port_id(subport), "topic": TOPIC,
            "segmentation_type": "vlan", "segmentation_id": vid,
        }),
    )
}

/// A MAC address in the notation of records and `ip`.
pub fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn line(table: &str, record: &Value) -> Value {
    json!({"table": table, "record": record})
}
