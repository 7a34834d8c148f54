//! Random events. Few ids, so that many collide, and some invalid values.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use trunkpath::control::links::{Link, LinkEvent};
use trunkpath::nb::{RecordId, Table};
use trunkpath::types::IfIndex;

use testkit::simulated;
use testkit::stores::Write;

/// Chassis of this host.
pub const HERE: &str = "here";

/// An event of a run.
#[derive(Debug, Clone)]
pub enum Step {
    /// Another program writes records with their texts, or deletes them (`None`).
    Write(Vec<Write>),
    /// A link is created, changed or deleted.
    Link(LinkEvent),
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(write(), 1..4).prop_map(Step::Write),
        2 => link().prop_map(Step::Link),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let network = (1..4_u32, mostly(0, 1..4_u32)).prop_map(|(id, key)| {
        let key = if key == 0 { id } else { key };
        (Table::Lswitch, json!({"id": format!("n{id}"), "unique_key": key, "topic": "t", "name": ""}))
    });
    let record = prop_oneof![1 => network, 3 => port(), 3 => segmentation()];
    (record, 0..50_u8).prop_map(|((table, json), fate)| {
        let record = RecordId { table, id: json["id"].as_str().unwrap().to_owned() };
        let text = match fate {
            0 => Some("{ no JSON".to_owned()),
            1 => Some(json!([1, 2]).to_string()),
            2..=8 => None,
            _ => Some(json.to_string()),
        };
        (record, text)
    })
}

/// `usual`, or sometimes something else.
fn mostly<T: Clone + std::fmt::Debug + 'static>(
    usual: T,
    other: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![12 => Just(usual), 1 => other]
}

/// Ports 1 to 3 are mostly parents, those from 4 on subports.
fn port() -> impl Strategy<Value = (Table, Value)> {
    let bound = mostly(
        json!({"type": "chassis", "chassis": HERE}),
        prop_oneof![
            Just(json!({"type": "chassis", "chassis": "elsewhere"})),
            Just(json!({"type": "vtep", "vtep_address": "10.0.0.9"})),
            Just(json!({"type": "unheard of"})),
        ],
    );
    let key = mostly(0, 1..10_u32);
    let enabled = prop::bool::weighted(0.9);
    let is_odd = prop::bool::weighted(0.1);
    (1..9_u32, key, mostly(0, 1..5_u32), 1..6_u8, enabled, bound, is_odd).prop_map(
        |(id, key, network, mac, enabled, bound, is_odd)| {
            let key = if key == 0 { id } else { key };
            let network = if network == 0 { id % 3 + 1 } else { network };
            let mut json = json!({"id": format!("p{id}"), "unique_key": key, "lswitch": format!("n{network}"),
                "macs": [format!("02:00:00:00:00:{mac:02x}")], "ips": [], "enabled": enabled, "topic": "t"});
            if (id <= 3) != is_odd {
                json["binding"] = bound;
            }
            (Table::Lport, json)
        },
    )
}

fn segmentation() -> impl Strategy<Value = (Table, Value)> {
    let kind = mostly("vlan", prop_oneof![Just("macvlan"), Just("mpls")]);
    let vid = mostly(0, prop_oneof![1..4_u32, Just(4094), Just(4095)]);
    let odd = (any::<bool>(), 1..9_u32);
    (1..4_u32, 4..9_u32, mostly((false, 0), odd), kind, vid).prop_map(|(parent, port, odd, kind, vid)| {
        let id = if odd.0 { odd.1 } else { port };
        let port = if odd.1 == 0 { port } else { odd.1 };
        let vid = if vid == 0 { 10 * parent + port } else { vid };
        let json = json!({"id": format!("s{id}"), "parent": format!("p{parent}"), "port": format!("p{port}"),
            "segmentation_type": kind, "segmentation_id": vid, "topic": "t"});
        (Table::ChildPortSegmentation, json)
    })
}

/// Links 1 to 6, mostly for the ports 1 to 3 by their aliases, which two may share. Sometimes another program
/// holds one.
fn link() -> impl Strategy<Value = LinkEvent> {
    let on = prop::bool::weighted(0.85);
    let changed = (1..7_u32, mostly(0, 1..6_u32), on, on, mostly(false, Just(true)), 1..3_u16).prop_map(
        |(ifindex, port, up, carrier, held, queues)| {
            let port = if port == 0 { (ifindex - 1) % 3 + 1 } else { port };
            // The second link of a port is without its alias most of the time.
            let alias = if ifindex > 3 && !held { 9 } else { port };
            let link = simulated::link(ifindex, &format!("p{alias}"));
            let name = if held { "held".to_owned() } else { link.name.clone() };
            LinkEvent::Changed(Link { name, up, carrier, rx_queues: queues, ..link })
        },
    );
    let gone = (1..7_u32).prop_map(|ifindex| LinkEvent::Gone(IfIndex::new(ifindex).unwrap()));
    prop_oneof![6 => changed, 1 => gone]
}
