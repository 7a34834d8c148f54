//! Other hosts of a scenario: chassis, uplinks, and the segments of networks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use trunkpath::packet::tunnel::Endpoints;
use trunkpath::tables::{Host, LinkSlot, LocalLink, UnderlayPath};
use trunkpath::types::{IfIndex, LinkRole, MacAddr};

use crate::scenario::Mac;

/// The name of the host under test.
pub const HERE: &str = "here";

/// The tunnel endpoint of the host under test.
pub const HERE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The address of each uplink, and that of the next hop behind it.
pub const UPLINK_MAC: Mac = [2, 0, 0, 0, 0xff, 1];
pub const NEXT_HOP_MAC: Mac = [2, 0, 0, 0, 0xff, 2];

/// The slots of uplinks begin here, so that they are not those of links.
const FIRST_SLOT: u16 = 1000;

/// What a scenario has beyond its host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outside {
    /// By network; one without an entry is local.
    pub segments: BTreeMap<String, Segment>,
    /// By port; one without an entry has no binding.
    pub places: BTreeMap<String, Place>,
    pub chassis: BTreeMap<String, Chassis>,
    pub uplinks: Vec<Uplink>,
}

/// The fields of a network that name its segment.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    Tunnel(&'static str, u32),
    Vlan(&'static str, u16),
    Flat(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    Chassis(String),
    Vtep(IpAddr),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Chassis {
    pub ip: IpAddr,
    pub types: Vec<&'static str>,
}

/// A link to other hosts. The physical network of the same name is mapped to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Uplink {
    pub name: &'static str,
    pub up: bool,
    pub mtu: usize,
    /// An address of the host on it.
    pub host_address: Option<IpAddr>,
    /// The worker of its only queue.
    pub worker: usize,
}

impl Segment {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Tunnel(kind, key) => json!({ "network_type": kind, "segmentation_id": key }),
            Self::Vlan(physical, vid) => {
                json!({ "network_type": "vlan", "physical_network": physical, "segmentation_id": vid })
            }
            Self::Flat(physical) => json!({ "network_type": "flat", "physical_network": physical }),
        }
    }
}

impl Place {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Chassis(name) => json!({ "type": "chassis", "chassis": name }),
            Self::Vtep(address) => json!({ "type": "vtep", "vtep_address": address }),
        }
    }
}

impl Outside {
    /// The host under test.
    pub fn host(&self) -> Host {
        let uplinks = self.uplinks.iter().map(|uplink| (uplink.name.into(), uplink.name.into()));
        Host {
            chassis: HERE.into(),
            endpoint: Some(HERE_IP),
            uplinks: uplinks.collect(),
            forbids_fragments: false,
        }
    }

    /// The uplinks for the compiler.
    pub fn links(&self) -> Vec<LocalLink> {
        let link = |(place, uplink): (u16, &Uplink)| LocalLink {
            slot: LinkSlot(FIRST_SLOT + place),
            ifindex: ifindex(place),
            role: LinkRole::Uplink(uplink.name.into()),
            up: uplink.up,
            queues: [uplink.worker].into_iter().collect(),
            complete_checksums: true,
            mtu: uplink.mtu,
            longest_frame: uplink.mtu + 18,
            host_address: uplink.host_address,
        };
        (0..).zip(&self.uplinks).map(link).collect()
    }

    /// The slot of an uplink, and the name of the uplink at a slot.
    pub fn slot_of(&self, name: &str) -> LinkSlot {
        let place = self.uplinks.iter().position(|uplink| uplink.name == name).expect("an uplink");
        LinkSlot(FIRST_SLOT + place as u16)
    }

    pub fn name_at(&self, slot: LinkSlot) -> Option<&'static str> {
        self.uplinks.get(usize::from(slot.0.checked_sub(FIRST_SLOT)?)).map(|uplink| uplink.name)
    }

    /// The endpoints of all hosts, each with its path: by the first uplink.
    pub fn paths(&self) -> Vec<(IpAddr, UnderlayPath)> {
        let Some(uplink) = self.uplinks.first() else { return Vec::new() };
        let path = |destination| UnderlayPath {
            ifindex: ifindex(0),
            endpoints: Endpoints {
                source: HERE_IP,
                destination,
                source_mac: MacAddr::new(UPLINK_MAC),
                destination_mac: MacAddr::new(NEXT_HOP_MAC),
            },
            mtu: uplink.mtu,
        };
        let vteps = self.places.values().filter_map(|place| match place {
            Place::Vtep(address) => Some(*address),
            Place::Chassis(_) => None,
        });
        let addresses = self.chassis.values().map(|chassis| chassis.ip).chain(vteps);
        addresses.map(|address| (address, path(address))).collect()
    }
}

fn ifindex(place: u16) -> IfIndex {
    IfIndex::new(u32::from(FIRST_SLOT + place)).expect("not 0")
}
