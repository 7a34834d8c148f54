//! A security group with many ports of other hosts, which a rule of guarded ports here names.

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::runtime::Runtime;
use trunkpath::control::Reconciler;
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Snapshot, Table};

use crate::simulated::{self, Simulated};

const HERE: &str = "here";

/// Filtered ports here, all with the same groups.
const PORTS: u32 = 100;

/// A host whose filters have the addresses of the group.
#[derive(Debug)]
pub struct ManyMembers {
    reconciler: Reconciler<Simulated>,
    members: u32,
}

impl ManyMembers {
    /// A host, with `members` ports in the group elsewhere.
    pub fn new(members: u32, runtime: &Runtime) -> Self {
        let links = (0..PORTS).map(|number| simulated::link(number + 1, &id(number)));
        let mut reconciler = simulated::reconciler(HERE, links);
        let ports =
            (0..PORTS).map(|number| port(number, "guarded", &json!({"chassis": HERE, "type": "chassis"})));
        let elsewhere = (0..members).map(|number| member(PORTS + number, 0));
        let records = groups().into_iter().chain([network()]).chain(ports).chain(elsewhere).collect();
        reconciler.apply_snapshot(&Snapshot { revision: Revision(1), records });
        runtime.block_on(reconciler.reconcile()).unwrap();
        assert_eq!(reconciler.take_reported().len(), PORTS as usize);
        Self { reconciler, members }
    }

    /// Gives the member in the middle another address, and its own again.
    pub fn change_member(&mut self, runtime: &Runtime) {
        for moved in [1, 0] {
            let changes = vec![Change::Put(member(PORTS + self.members / 2, moved))];
            self.reconciler.apply_changes(&ChangeSet { revision: Revision(2), changes });
            runtime.block_on(self.reconciler.reconcile()).unwrap();
            assert_eq!(self.reconciler.take_reported().len(), 0, "no port is compiled again");
        }
    }
}

fn groups() -> Vec<Record> {
    let rule = json!({"id": "r", "topic": "t", "direction": "ingress", "ethertype": "IPv4", "remote_group_id": "members"});
    let group = |id: &str, rules| Record {
        table: Table::SecurityGroup,
        id: id.to_owned(),
        json: json!({"id": id, "topic": "t", "rules": rules}),
    };
    vec![group("guarded", json!([rule])), group("members", json!([]))]
}

fn network() -> Record {
    let json = json!({"id": "n", "topic": "t", "unique_key": 1});
    Record { table: Table::Lswitch, id: "n".to_owned(), json }
}

/// A port elsewhere; `moved` is added to the second byte of its address.
fn member(number: u32, moved: u32) -> Record {
    let mut record = port(number, "members", &json!({"chassis": "elsewhere", "type": "chassis"}));
    record.json["ips"] = json!([Ipv4Addr::from_bits(0x0a00_0000 + (moved << 20) + number)]);
    record
}

fn port(number: u32, group: &str, binding: &serde_json::Value) -> Record {
    let [_, high, middle, low] = number.to_be_bytes();
    let json = json!({"id": id(number), "topic": "t", "unique_key": number + 1, "enabled": true, "lswitch": "n",
        "macs": [format!("02:00:00:{high:02x}:{middle:02x}:{low:02x}")], "binding": binding,
        "ips": [Ipv4Addr::from_bits(0x0a00_0000 + number)],
        "port_security_enabled": true, "security_groups": [group]});
    Record { table: Table::Lport, id: id(number), json }
}

fn id(number: u32) -> String {
    format!("p{number:06}")
}
