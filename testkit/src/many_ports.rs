//! Many ports, each with a link of its own, on networks of [`NETWORK_PORTS`] ports; and one change of one of
//! them.

use serde_json::json;
use trunkpath::control::Reconciler;
use trunkpath::control::links::{Link, LinkEvent};
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Snapshot, Table};

use crate::simulated::{self, Simulated};

const HERE: &str = "here";

/// Ports of one network. The cost of a change of a port grows with it, because its network is compiled again.
const NETWORK_PORTS: u32 = 10;

/// A reconciler with the records and links of `count` ports, before its first round.
pub fn unstarted(count: u32) -> Reconciler<Simulated> {
    let mut reconciler = simulated::reconciler(HERE, (0..count).map(link));
    let networks = (0..count.div_ceil(NETWORK_PORTS)).map(network);
    let records = networks.chain((0..count).map(|number| port(number, true))).collect();
    reconciler.apply_snapshot(&Snapshot { revision: Revision(1), records });
    reconciler
}

/// Reconciles, and returns the number of ports that were compiled again.
pub fn reconcile(reconciler: &mut Reconciler<Simulated>, runtime: &tokio::runtime::Runtime) -> usize {
    runtime.block_on(reconciler.reconcile()).unwrap();
    reconciler.take_reported().len()
}

/// Changes the record of the port in the middle, and back.
pub fn change_port(reconciler: &mut Reconciler<Simulated>, count: u32, runtime: &tokio::runtime::Runtime) {
    for is_enabled in [false, true] {
        let change = Change::Put(port(count / 2, is_enabled));
        reconciler.apply_changes(&ChangeSet { revision: Revision(2), changes: vec![change] });
        assert_eq!(reconcile(reconciler, runtime), 1);
    }
}

/// Switches the link in the middle off, and on again.
pub fn change_link(reconciler: &mut Reconciler<Simulated>, count: u32, runtime: &tokio::runtime::Runtime) {
    for up in [false, true] {
        reconciler.apply_link_event(LinkEvent::Changed(Link { up, ..link(count / 2) }));
        assert_eq!(reconcile(reconciler, runtime), 1);
    }
}

fn id(number: u32) -> String {
    format!("p{number:06}")
}

fn link(number: u32) -> Link {
    simulated::link(number + 1, &id(number))
}

fn network(number: u32) -> Record {
    let id = format!("n{number}");
    let json = json!({"id": id, "topic": "t", "unique_key": number + 1});
    Record { table: Table::Lswitch, id, json }
}

fn port(number: u32, is_enabled: bool) -> Record {
    let [_, high, middle, low] = number.to_be_bytes();
    let json = json!({"id": id(number), "topic": "t", "unique_key": number + 1, "enabled": is_enabled,
        "lswitch": format!("n{}", number / NETWORK_PORTS),
        "macs": [format!("02:00:00:{high:02x}:{middle:02x}:{low:02x}")],
        "binding": {"type": "chassis", "chassis": HERE}});
    Record { table: Table::Lport, id: id(number), json }
}
