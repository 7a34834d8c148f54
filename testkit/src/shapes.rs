//! Many records that claim the same key, tag, address or link, or that form a chain; and one change of them.

use serde_json::{Value, json};
use trunkpath::control::Reconciler;
use trunkpath::control::links::Link;
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Snapshot, Table};

use crate::simulated::{self, Simulated};

const HERE: &str = "here";

/// The claim that all records share.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Segmentations for one tag of one parent.
    OneTag,
    /// Segmentations of one subport, each on a parent of its own.
    OneSubport,
    /// Each port is a subport of the one before.
    Chain,
    /// A chain whose first port is a subport of the last.
    Loop,
    /// Ports of one `unique_key`.
    OneKey,
    /// Networks of one `unique_key`.
    OneNetworkKey,
    /// Ports of one address, each with a link.
    OneMac,
    /// Ports whose taps have the same name.
    OneDevice,
}

impl Shape {
    pub const ALL: [Self; 8] = [
        Self::OneTag,
        Self::OneSubport,
        Self::Chain,
        Self::Loop,
        Self::OneKey,
        Self::OneNetworkKey,
        Self::OneMac,
        Self::OneDevice,
    ];

    /// The records, in addition to the port `a` on the network `n1`, which has a link.
    fn records(self, count: u32) -> Vec<Record> {
        let all = 0..count;
        let ports = || (0..count).map(port);
        match self {
            Self::OneTag => ports().chain(all.map(|i| segmentation(i, "a", &id(i), 5))).collect(),
            Self::OneSubport => {
                ports().chain((1..count).map(|i| segmentation(i, &id(i), &id(0), 5))).collect()
            }
            Self::Chain => {
                ports().chain((1..count).map(|i| segmentation(i, &id(i - 1), &id(i), 5))).collect()
            }
            Self::Loop => {
                ports().chain(all.map(|i| segmentation(i, &id(i), &id((i + 1) % count), 5))).collect()
            }
            Self::OneKey => all.map(|i| with(port(i), "unique_key", json!(7))).collect(),
            Self::OneNetworkKey => all.map(|i| network(&format!("m{i:06}"), 7)).collect(),
            Self::OneMac => all.map(|i| with(bound(port(i)), "macs", json!(["02:00:00:00:00:07"]))).collect(),
            Self::OneDevice => all.map(|i| bound(with(port(i), "id", json!(device_user(i))))).collect(),
        }
    }

    fn links(self, count: u32) -> Vec<Link> {
        let mut links = vec![simulated::link(1, "a")];
        match self {
            Self::OneMac => links.extend((0..count).map(|i| simulated::link(2 + i, &id(i)))),
            Self::OneDevice => {
                let name = format!("tap{}", &device_user(0)[..11]);
                links.push(Link { name, alias: None, ..simulated::link(2, "") });
            }
            Self::OneTag
            | Self::OneSubport
            | Self::Chain
            | Self::Loop
            | Self::OneKey
            | Self::OneNetworkKey => {}
        }
        links
    }

    /// A reconciler that has compiled `count` such records.
    pub fn reconciler(self, count: u32, runtime: &tokio::runtime::Runtime) -> Reconciler<Simulated> {
        let mut reconciler = simulated::reconciler(HERE, self.links(count));
        let a = with(bound(port(0)), "id", json!("a"));
        let records =
            [network("n1", 1), with(a, "unique_key", json!(1))].into_iter().chain(self.records(count));
        reconciler.apply_snapshot(&Snapshot { revision: Revision(1), records: records.collect() });
        runtime.block_on(reconciler.reconcile()).unwrap();
        drop(reconciler.take_reported());
        reconciler
    }

    pub fn last_record(self, count: u32) -> Record {
        self.records(count).pop().unwrap()
    }

    /// The last record with a value of its own for the shared claim.
    pub fn changed_record(self, count: u32) -> Record {
        let (field, value) = match self {
            Self::OneTag | Self::OneSubport | Self::Chain | Self::Loop => ("segmentation_id", json!(7)),
            Self::OneKey | Self::OneNetworkKey => ("unique_key", json!(1_000_000)),
            Self::OneMac => ("macs", json!(["02:00:00:00:00:08"])),
            Self::OneDevice => ("binding", json!({"type": "chassis", "chassis": "elsewhere"})),
        };
        with(self.last_record(count), field, value)
    }
}

/// Applies changes one by one. Returns the number of ports compiled again.
pub fn follow(
    reconciler: &mut Reconciler<Simulated>,
    records: impl IntoIterator<Item = Record>,
    runtime: &tokio::runtime::Runtime,
) -> usize {
    let mut rebuilt = 0;
    for record in records {
        reconciler.apply_changes(&ChangeSet { revision: Revision(2), changes: vec![Change::Put(record)] });
        runtime.block_on(reconciler.reconcile()).unwrap();
        rebuilt += reconciler.take_reported().len();
    }
    rebuilt
}

fn id(number: u32) -> String {
    format!("p{number:06}")
}

/// An id whose first 11 characters, which name a tap, are always the same.
fn device_user(number: u32) -> String {
    format!("same-prefix-{number:06}")
}

fn record(table: Table, json: Value) -> Record {
    Record { table, id: json["id"].as_str().unwrap().to_owned(), json }
}

fn network(id: &str, key: u32) -> Record {
    record(Table::Lswitch, json!({"id": id, "topic": "t", "unique_key": key}))
}

fn port(number: u32) -> Record {
    let json = json!({"id": id(number), "topic": "t", "unique_key": 10 + number, "lswitch": "n1", "macs": [],
        "enabled": true});
    record(Table::Lport, json)
}

fn segmentation(number: u32, parent: &str, port: &str, vid: u32) -> Record {
    let json = json!({"id": format!("s{number:06}"), "topic": "t", "parent": parent, "port": port,
        "segmentation_type": "vlan", "segmentation_id": vid});
    record(Table::ChildPortSegmentation, json)
}

fn bound(port: Record) -> Record {
    with(port, "binding", json!({"type": "chassis", "chassis": HERE}))
}

fn with(mut record: Record, field: &str, value: Value) -> Record {
    record.json[field] = value;
    self::record(record.table, record.json)
}
