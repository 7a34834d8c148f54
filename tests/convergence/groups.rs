//! Random security groups, and ports that have some.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use trunkpath::nb::Table;

use super::step::mostly;

/// Groups 1 to 3, with rules that name each other, and sometimes one that is not understood.
pub fn group() -> impl Strategy<Value = (Table, Value)> {
    let protocol = mostly(json!(6), select(vec![json!(null), json!(17), json!("tcp")]));
    let remote = select(vec![None, Some("g1"), Some("g2"), Some("g3")]);
    let rule = (select(vec!["egress", "ingress"]), protocol, remote, 1..3_u16).prop_map(
        |(direction, protocol, remote, port)| {
            json!({"id": "r", "direction": direction, "ethertype": "IPv4", "protocol": protocol,
                "port_range_min": port, "port_range_max": 2, "remote_group_id": remote})
        },
    );
    (1..4_u8, prop::collection::vec(rule, 0..3)).prop_map(|(id, rules)| {
        (Table::SecurityGroup, json!({"id": format!("g{id}"), "topic": "t", "rules": rules}))
    })
}

/// A group becomes stateless.
pub fn stateless() -> impl Strategy<Value = (Table, Value)> {
    (1..4_u8).prop_map(|id| (Table::StatelessGroup, json!({"id": format!("g{id}"), "topic": "t"})))
}

/// The groups of a port with port security, of which one does not exist, and its address.
#[derive(Debug, Clone)]
pub struct Guard {
    groups: Vec<&'static str>,
    host: u8,
}

impl Guard {
    /// Adds the fields to a port.
    pub fn add_to(&self, json: &mut Value) {
        json["port_security_enabled"] = true.into();
        json["security_groups"] = json!(self.groups);
        json["ips"] = json!([format!("10.0.0.{}", self.host)]);
    }
}

/// Two ports may have one address.
pub fn guard() -> impl Strategy<Value = Option<Guard>> {
    let groups = subsequence(vec!["g1", "g2", "g3", "g4"], 0..3);
    prop::option::weighted(0.4, (groups, 1..5_u8).prop_map(|(groups, host)| Guard { groups, host }))
}
