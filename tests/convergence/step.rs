//! Random events. Few ids, so that many collide, and some invalid values.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use trunkpath::control::links::{Link, LinkEvent};
use trunkpath::nb::{RecordId, Table};
use trunkpath::tables::UnderlayPaths;
use trunkpath::types::IfIndex;

use super::{groups, hosts};
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
    /// The underlay has another result for an endpoint.
    Paths(IpAddr, UnderlayPaths),
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(write(), 1..4).prop_map(Step::Write),
        2 => link().prop_map(Step::Link),
        1 => hosts::uplink_event().prop_map(Step::Link),
        1 => hosts::result().prop_map(|(address, paths)| Step::Paths(address, paths)),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let record = prop_oneof![
        2 => network(),
        6 => port(),
        6 => segmentation(),
        4 => hosts::chassis(),
        2 => groups::group(),
        1 => groups::stateless(),
    ];
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

fn network() -> impl Strategy<Value = (Table, Value)> {
    (1..4_u32, mostly(0, 1..4_u32), hosts::segment()).prop_map(|(id, key, segment)| {
        let key = if key == 0 { id } else { key };
        let mut json = json!({"id": format!("n{id}"), "unique_key": key, "topic": "t", "name": ""});
        segment.add_to(&mut json, id);
        (Table::Lswitch, json)
    })
}

/// `usual`, or sometimes something else.
pub fn mostly<T: Clone + std::fmt::Debug + 'static>(
    usual: T,
    other: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![12 => Just(usual), 1 => other]
}

/// Ports 1 to 3 are mostly parents here, those from 4 on subports; 9 to 12 are on other hosts.
fn port() -> impl Strategy<Value = (Table, Value)> {
    let bound = mostly(json!({"type": "chassis", "chassis": HERE}), hosts::binding());
    let key = mostly(0, 1..12_u32);
    let enabled = prop::bool::weighted(0.9);
    let is_odd = prop::bool::weighted(0.1);
    let pair = mostly(0, 1..8_u8);
    let place = (bound, hosts::binding(), is_odd, groups::guard());
    (1..13_u32, key, mostly(0, 1..5_u32), (1..6_u8, pair), enabled, place).prop_map(
        |(id, key, network, (mac, pair), enabled, (bound, elsewhere, is_odd, guard))| {
            let key = if key == 0 { id } else { key };
            let network = if network == 0 { id % 3 + 1 } else { network };
            let address = |number: u8| format!("02:00:00:00:00:{number:02x}");
            let mut json = json!({"id": format!("p{id}"), "unique_key": key, "lswitch": format!("n{network}"),
                "macs": [address(mac)], "ips": [], "enabled": enabled, "topic": "t"});
            if pair > 0 {
                let pair = json!({"ip_address": "10.0.9.9", "mac_address": address(pair)});
                json["allowed_address_pairs"] = json!([pair]);
            }
            if let Some(guard) = guard {
                guard.add_to(&mut json);
            }
            if id > 8 {
                json["binding"] = elsewhere;
            } else if (id <= 3) != is_odd {
                json["binding"] = bound;
            }
            (Table::Lport, json)
        },
    )
}

fn segmentation() -> impl Strategy<Value = (Table, Value)> {
    let kind = mostly("vlan", prop_oneof![Just("macvlan"), Just("mpls")]);
    let vid = mostly(0, prop_oneof![1..4_u32, Just(4094), Just(4095)]);
    let odd = (any::<bool>(), 1..11_u32);
    let parent = mostly(0, Just(9)).prop_flat_map(|odd| if odd == 0 { 1..4_u32 } else { odd..odd + 1 });
    (parent, 4..9_u32, mostly((false, 0), odd), kind, vid).prop_map(|(parent, port, odd, kind, vid)| {
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
