//! Records of the NB DB and links of a host: the input of the switch under test and of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde_json::{Value, json};
use trunkpath::nb::{Record, Table};
use trunkpath::tables::{ConnectionPolicy, Policy};
use trunkpath::types::{ReservedMulticast, TagPolicy, UnknownTags};

use crate::outside::{Chassis, Outside, Place, Segment, Uplink};

pub type Mac = [u8; 6];

pub const VM: Mac = [2, 0, 0, 0, 0, 0x01];
pub const WEB: Mac = [2, 0, 0, 0, 0, 0x02];
pub const PEER_A: Mac = [2, 0, 0, 0, 0, 0x0a];
pub const PEER_B: Mac = [2, 0, 0, 0, 0, 0x0b];

/// Records of the northbound DB by id, and the links of this host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// The `unique_key` of each network.
    pub networks: BTreeMap<String, u32>,
    pub ports: BTreeMap<String, Port>,
    pub segmentations: BTreeMap<String, Segmentation>,
    /// The rules of each security group.
    pub groups: BTreeMap<String, Vec<Value>>,
    /// The groups among them that are stateless.
    pub stateless: BTreeSet<String>,
    /// Connections that a port may have.
    pub quota: Option<u32>,
    pub links: Vec<Link>,
    /// Ports with `unknown_tags = drop`.
    pub strict: BTreeSet<String>,
    /// Copies per second that a guest may cause; 0 is no limit.
    pub flood_rate: u32,
    pub reserved_multicast: ReservedMulticast,
    pub outside: Outside,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub key: u32,
    pub network: String,
    pub macs: Vec<Mac>,
    pub enabled: bool,
    /// Set for a port with port security.
    pub security: Option<Security>,
    /// The security groups of a port with port security; `None` for one of the network itself, which none
    /// filters.
    pub groups: Option<Vec<String>>,
    /// MAC addresses of address pairs, in addition to those in `security`.
    pub pairs: Vec<Mac>,
}

/// IP addresses of a port, and its address pairs (IP and MAC address).
pub type Security = (Vec<&'static str>, Vec<(&'static str, Mac)>);

#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    pub parent: String,
    pub port: String,
    pub vid: u16,
}

/// A link, named after its logical port.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub port: String,
    pub up: bool,
    pub complete_checksums: bool,
    pub mtu: usize,
    /// The worker of its only queue: 0 or 1.
    pub worker: usize,
}

impl Scenario {
    /// A VLAN-aware VM: `vm` is on network `a`, its subport `web` with tag 100 on network `b`. It has a peer
    /// on each network.
    pub fn vm_and_peers() -> Self {
        Self::default()
            .network("a", 1)
            .network("b", 2)
            .port("vm", 1, "a", VM)
            .port("web", 2, "b", WEB)
            .port("peer-a", 10, "a", PEER_A)
            .port("peer-b", 11, "b", PEER_B)
            .segmentation("s1", "vm", 100, "web")
            .link("vm")
            .link("peer-a")
            .link("peer-b")
    }

    pub fn network(mut self, id: &str, key: u32) -> Self {
        self.networks.insert(id.into(), key);
        self
    }

    /// An enabled port with one address.
    pub fn port(mut self, id: &str, key: u32, network: &str, mac: Mac) -> Self {
        let port = Port {
            key,
            network: network.into(),
            macs: vec![mac],
            enabled: true,
            security: None,
            groups: None,
            pairs: vec![],
        };
        self.ports.insert(id.into(), port);
        self
    }

    pub fn segmentation(mut self, id: &str, parent: &str, vid: u16, port: &str) -> Self {
        let segmentation = Segmentation { parent: parent.into(), port: port.into(), vid };
        self.segmentations.insert(id.into(), segmentation);
        self
    }

    /// Adds a link that is up and whose guest leaves checksums partial.
    pub fn link(mut self, port: &str) -> Self {
        self.links.push(Link { port: port.into(), up: true, complete_checksums: true, mtu: 1500, worker: 0 });
        self
    }

    /// Sets the MTU of the link of `port`.
    pub fn mtu(mut self, port: &str, mtu: usize) -> Self {
        self.links.iter_mut().filter(|link| link.port == port).for_each(|link| link.mtu = mtu);
        self
    }

    /// Gives the link of `port` to another worker.
    pub fn worker(mut self, port: &str, worker: usize) -> Self {
        self.links.iter_mut().filter(|link| link.port == port).for_each(|link| link.worker = worker);
        self
    }

    /// Gives a port port security, and these groups.
    pub fn guarded(mut self, port: &str, ips: &[&'static str], groups: &[&str]) -> Self {
        let guarded = self.port_mut(port);
        guarded.security = Some((ips.to_vec(), vec![]));
        guarded.groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        self
    }

    /// Adds a security group, or replaces its rules.
    pub fn group(mut self, id: &str, rules: &[Value]) -> Self {
        self.groups.insert(id.to_owned(), rules.to_vec());
        self
    }

    /// Adds an address pair with this MAC address.
    pub fn pair(mut self, port: &str, mac: Mac) -> Self {
        self.port_mut(port).pairs.push(mac);
        self
    }

    /// Gives a network a segment between hosts.
    pub fn segment(mut self, network: &str, segment: Segment) -> Self {
        self.outside.segments.insert(network.into(), segment);
        self
    }

    /// Adds another host that receives tunnels of all types.
    pub fn chassis(mut self, name: &str, ip: IpAddr) -> Self {
        let chassis = Chassis { ip, types: vec!["vxlan", "geneve", "gre"] };
        self.outside.chassis.insert(name.into(), chassis);
        self
    }

    /// Binds a port to a host or VTEP.
    pub fn at(mut self, port: &str, place: Place) -> Self {
        self.outside.places.insert(port.into(), place);
        self
    }

    /// Adds an uplink that is up.
    pub fn uplink(mut self, name: &'static str, mtu: usize) -> Self {
        self.outside.uplinks.push(Uplink { name, up: true, mtu, host_address: None, worker: 0 });
        self
    }

    /// Sets `unknown_tags = drop` for a port.
    pub fn strict(mut self, port: &str) -> Self {
        self.strict.insert(port.into());
        self
    }

    /// The operator's settings for all ports.
    pub fn policy(&self) -> Policy {
        let ports = self.strict.iter().map(|port| (port.clone(), UnknownTags::Drop)).collect();
        Policy {
            unknown_tags: TagPolicy { ports, ..TagPolicy::default() },
            flood_rate: NonZeroU32::new(self.flood_rate),
            reserved_multicast: self.reserved_multicast,
            connections: ConnectionPolicy { quota: self.quota.unwrap_or(131_072), ..Default::default() }
                .into(),
        }
    }

    pub fn port_mut(&mut self, id: &str) -> &mut Port {
        self.ports.get_mut(id).expect("a port of this scenario")
    }

    /// The records in the form of the database.
    pub fn records(&self) -> Vec<Record> {
        let chassis = self.outside.chassis.iter().map(|(name, chassis)| {
            record(Table::Chassis, name, json!({ "ip": chassis.ip, "tunnel_types": chassis.types }))
        });
        let networks = self.networks.iter().map(|(id, key)| {
            let segment = self.outside.segments.get(id).map_or_else(|| json!({}), Segment::json);
            record(Table::Lswitch, id, network_json(*key, segment))
        });
        let ports = self.ports.iter().map(|(id, port)| {
            let place = self.outside.places.get(id).map_or(Value::Null, Place::json);
            record(Table::Lport, id, port_json(port, &place))
        });
        let segmentations = self.segmentations.iter().map(|(id, segmentation)| {
            record(Table::ChildPortSegmentation, id, segmentation_json(segmentation))
        });
        let groups = self.groups.iter().map(|(id, rules)| {
            record(Table::SecurityGroup, id, json!({ "topic": "project", "rules": rules }))
        });
        let stateless =
            self.stateless.iter().map(|id| record(Table::StatelessGroup, id, json!({ "topic": "project" })));
        groups.chain(stateless).chain(chassis).chain(networks).chain(ports).chain(segmentations).collect()
    }
}

/// IP address of pairs whose IP address does not matter.
const PAIR_IP: &str = "10.0.9.9";

fn record(table: Table, id: &str, mut json: Value) -> Record {
    json["id"] = id.into();
    Record { table, id: id.to_owned(), json }
}

fn network_json(key: u32, mut json: Value) -> Value {
    json["unique_key"] = key.into();
    json["topic"] = "project".into();
    json
}

fn port_json(port: &Port, binding: &Value) -> Value {
    let macs: Vec<String> = port.macs.iter().copied().map(mac_text).collect();
    let mut json = json!({ "unique_key": port.key, "lswitch": port.network, "macs": macs, "enabled": port.enabled, "binding": binding });
    let mut pairs: Vec<_> = port.pairs.iter().map(|mac| (PAIR_IP, *mac)).collect();
    if let Some((ips, secured)) = &port.security {
        json["port_security_enabled"] = true.into();
        json["ips"] = json!(ips);
        match &port.groups {
            Some(groups) => json["security_groups"] = json!(groups),
            None => json["device_owner"] = "network:distributed".into(),
        }
        pairs.extend(secured);
    }
    let pairs = pairs.iter().map(|(ip, mac)| json!({ "ip_address": ip, "mac_address": mac_text(*mac) }));
    json["allowed_address_pairs"] = pairs.collect();
    json
}

fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn segmentation_json(segmentation: &Segmentation) -> Value {
    json!({
        "parent": segmentation.parent,
        "port": segmentation.port,
        "segmentation_type": "vlan",
        "segmentation_id": segmentation.vid,
    })
}
