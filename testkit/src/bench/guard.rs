//! Port security and security groups of the subports of a scenario.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use trunkpath::nb::{Record, Table};

/// Groups of each port.
const GROUPS: usize = 10;
/// Rules of each group, half of them in each direction.
const RULES: usize = 100;
/// Every so many rules one has the number of the packet, and a remote group that the other end is not in.
const NEAR_MISS: usize = 10;

/// What checks the frames of the subports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    Nothing,
    /// Port security of a trusted port.
    Sources,
    /// The same, and 1,000 rules in 10 groups, of which the last allows UDP from and to the subports. The remote
    /// groups of the others have this many ports.
    Groups(usize),
}

/// The address of the subport with a number.
pub fn ip(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number as u32)
}

impl Guard {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "unchecked",
            Self::Sources => "secured",
            Self::Groups(_) => "filtered",
        }
    }

    /// The fields of a subport's record.
    pub fn fields(self, number: usize) -> Value {
        let secured = |more| {
            let mut json = json!({"port_security_enabled": true, "ips": [ip(number).to_string()]});
            merge(&mut json, more);
            json
        };
        match self {
            Self::Nothing => json!({}),
            Self::Sources => secured(json!({"device_owner": "network:distributed"})),
            Self::Groups(_) => {
                secured(json!({"security_groups": (0..GROUPS).map(group_id).collect::<Vec<_>>()}))
            }
        }
    }

    /// The groups, and the ports of remote groups, which are on no host. `first` is the first number that no
    /// port has.
    pub fn records(self, first: usize) -> Vec<Record> {
        let Self::Groups(others) = self else { return vec![] };
        let ports = (first..first + others).map(|number| {
            let id = format!("other{number}");
            let mut json = json!({"id": id, "unique_key": number + 1, "lswitch": "network0", "macs": []});
            merge(
                &mut json,
                json!({"port_security_enabled": true, "ips": [ip(number).to_string()], "security_groups": ["others"]}),
            );
            Record { table: Table::Lport, id, json }
        });
        (0..GROUPS).map(group).chain([record("others", &[])]).chain(ports).collect()
    }
}

pub fn merge(json: &mut Value, more: Value) {
    if let (Value::Object(json), Value::Object(more)) = (json, more) {
        json.extend(more);
    }
}

fn group_id(number: usize) -> String {
    format!("group{number}")
}

fn group(number: usize) -> Record {
    let rules = (0..RULES).map(|place| {
        let direction = if place % 2 == 0 { "egress" } else { "ingress" };
        let remote = match place / 2 {
            // The last one of each direction.
            49 if number == GROUPS - 1 => json!({"remote_group_id": group_id(0)}),
            miss if miss % NEAR_MISS == 0 => json!({"remote_group_id": "others"}),
            port => json!({"port_range_min": port, "port_range_max": port}),
        };
        let mut rule = json!({"id": format!("{number}-{place}"), "direction": direction, "ethertype": "IPv4", "protocol": 17});
        merge(&mut rule, remote);
        rule
    });
    record(&group_id(number), &rules.collect::<Vec<_>>())
}

fn record(id: &str, rules: &[Value]) -> Record {
    Record {
        table: Table::SecurityGroup,
        id: id.to_owned(),
        json: json!({"id": id, "topic": "project", "rules": rules}),
    }
}
