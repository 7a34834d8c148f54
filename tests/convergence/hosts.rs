//! Random events of other hosts and of the underlay.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use trunkpath::control::links::{Link, LinkEvent};
use trunkpath::nb::Table;
use trunkpath::tables::UnderlayPaths;
use trunkpath::types::IfIndex;
use trunkpath::types::drop_reason::Tunnel;

use super::step::{HERE, mostly};
use testkit::simulated;
use testkit::simulated_underlay::path;

/// The links of physical networks.
pub const UPLINKS: [(&str, &str); 2] = [("phys7", "sim7"), ("phys8", "sim8")];
const UPLINK_NUMBERS: [u32; 2] = [7, 8];

/// The endpoint with this number: mostly that of host `h<number>`, or of the VTEP 4; 5 is that of this host.
const fn endpoint(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// Hosts 1 to 3 and this one, which two may have the address of.
pub fn chassis() -> impl Strategy<Value = (Table, Value)> {
    let host = prop_oneof![2 => 1..4_u8, 1 => Just(5)];
    let types = mostly(
        json!(["vxlan", "geneve", "gre"]),
        prop_oneof![Just(json!(["vxlan"])), Just(json!(["gre", "stt"])), Just(json!([])), Just(json!("gre"))],
    );
    let odd_address =
        prop_oneof![8 => (1..6_u8).prop_map(|number| json!(endpoint(number))), 1 => Just(json!("none"))];
    (host, odd_address, prop::bool::weighted(0.15), types).prop_map(|(host, odd_address, is_odd, types)| {
        let id = if host == 5 { HERE.to_owned() } else { format!("h{host}") };
        let ip = if is_odd { odd_address } else { json!(endpoint(host)) };
        (Table::Chassis, json!({"id": id, "ip": ip, "tunnel_types": types}))
    })
}

/// The place of a port that is mostly on another host. Host 4 has no record.
pub fn binding() -> impl Strategy<Value = Value> {
    let at = |chassis: String| json!({"type": "chassis", "chassis": chassis});
    prop_oneof![
        9 => (1..5_u8).prop_map(move |host| at(format!("h{host}"))),
        2 => (1..5_u8).prop_map(|number| json!({"type": "vtep", "vtep_address": endpoint(number)})),
        1 => Just(at(HERE.to_owned())),
        1 => Just(Value::Null),
        1 => Just(json!({"type": "unheard of"})),
    ]
}

/// The segment of a network.
#[derive(Debug, Clone)]
pub struct Segment {
    kind: &'static str,
    /// The key, or the VID; `None` for the number of the network.
    number: Option<Value>,
    physical: &'static str,
}

impl Segment {
    /// Adds the fields to a network.
    pub fn add_to(&self, json: &mut Value, network: u32) {
        json["network_type"] = self.kind.into();
        match self.kind {
            "flat" | "vlan" => json["physical_network"] = self.physical.into(),
            _ => {}
        }
        if self.kind != "flat" && self.kind != "local" {
            json["segmentation_id"] = self.number.clone().unwrap_or_else(|| network.into());
        }
    }
}

/// Two networks may have the same segment, and one an unusable or unknown one.
pub fn segment() -> impl Strategy<Value = Segment> {
    let kind = prop_oneof![
        9 => select(vec!["vxlan", "geneve", "gre"]),
        2 => Just("vlan"),
        1 => Just("flat"),
        1 => select(vec!["local", "stt"]),
    ];
    let number = prop_oneof![(1..4_u32).prop_map(|number| json!(number)), Just(json!(0)), Just(Value::Null)];
    let number = mostly(None, number.prop_map(Some));
    let physical = mostly("phys7", select(vec!["phys8", "phys9"]));
    (kind, number, physical).prop_map(|(kind, number, physical)| Segment { kind, number, physical })
}

/// The result of a search: one path or two by uplinks, sometimes by the link of a port or by one that does not
/// exist; or none.
pub fn result() -> impl Strategy<Value = (IpAddr, UnderlayPaths)> {
    let link = prop_oneof![8 => select(&UPLINK_NUMBERS), 1 => Just(1), 1 => Just(99)];
    let paths = (prop::collection::vec(link, 1..3), 5..7_u8);
    let reason = select(vec![Tunnel::NoRoute, Tunnel::NoNeighbour, Tunnel::BadEndpoint]);
    let outcome = prop_oneof![4 => paths.prop_map(Ok), 1 => reason.prop_map(Err)];
    (1..6_u8, outcome).prop_map(|(number, outcome)| {
        let address = endpoint(number);
        let path_by = |source: u8| move |link: &u32| path(*link, endpoint(source), address);
        (address, outcome.map(|(links, source)| links.iter().map(path_by(source)).collect()))
    })
}

/// An uplink is created, changed or deleted, or the host gets or loses an address on it.
pub fn uplink_event() -> impl Strategy<Value = LinkEvent> {
    let index = |number: u32| IfIndex::new(number).unwrap();
    let ifindex = || select(&UPLINK_NUMBERS);
    let on = prop::bool::weighted(0.9);
    let is_held = prop::bool::weighted(0.05);
    let changed = (ifindex(), on, on, is_held, 1..3_u16, mostly(1500, Just(9000))).prop_map(
        |(ifindex, up, carrier, is_held, rx_queues, mtu)| {
            let link = simulated::link(ifindex, "");
            let name = if is_held { "held".to_owned() } else { link.name.clone() };
            LinkEvent::Changed(Link { name, alias: None, up, carrier, rx_queues, mtu, ..link })
        },
    );
    let gone = ifindex().prop_map(move |number| LinkEvent::Gone(index(number)));
    let address = (ifindex(), any::<bool>()).prop_map(move |(number, is_added)| {
        let event = if is_added { LinkEvent::AddressAdded } else { LinkEvent::AddressRemoved };
        event(index(number), endpoint(5))
    });
    prop_oneof![8 => changed, 1 => gone, 2 => address]
}
