//! Scenarios whose tables have a given size.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use trunkpath::nb::{Record, Revision, Snapshot, Table};
use trunkpath::packet::tunnel::Endpoints;
use trunkpath::tables::{Compiler, Host, LinkSlot, LocalLink, Policy, Tables, UnderlayPath};
use trunkpath::types::{IfIndex, LinkRole, MacAddr, Tunnel, TunnelType, VlanId};

pub use super::guard::Guard;
use super::guard::merge;

/// Maximum number of subports of one parent.
const SUBPORTS_PER_PARENT: usize = 4000;
const NETWORKS: usize = 100;
/// Approximate number of segmentations of a scenario for floods.
const FLOOD_SEGMENTATIONS: usize = 1000;

/// Parents with subports, spread over networks. The last subport of each network is a listener on a parent
/// that all networks share, so that even the smallest scenario has a receiver. The parents have a network of
/// their own.
#[derive(Debug)]
pub struct SizedScenario {
    segmentations: usize,
    networks: usize,
    reach: Reach,
    guard: Guard,
}

/// What the networks reach beside the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nothing,
    /// Another host, by tunnels of type VXLAN: it has one port of each network.
    Host,
}

/// Kind of traffic of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// The tag selects a subport; the destination is another subport of its network.
    Hit,
    /// The tag selects a subport; the destination is unknown.
    Unknown,
    /// The tag selects no subport, so the frame is the parent's; the destination is another parent.
    Parents,
    /// The tag selects a subport; the frame is a broadcast.
    Flood,
    /// The tag selects a subport; the destination is a port of another host.
    ToHost,
    /// A tunnel packet of another host for a listener here.
    FromHost,
    /// As `Hit`, a UDP packet of one of so many connections, which the packets of each made before.
    Connections(usize),
    /// The same, each the first of its connection.
    NewConnections,
}

impl Traffic {
    /// Whether its frames are packets of connections.
    pub const fn has_connections(self) -> bool {
        matches!(self, Self::Connections(_) | Self::NewConnections)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Unknown => "unknown",
            Self::Parents => "parents",
            Self::Flood => "flood",
            Self::ToHost => "to_host",
            Self::FromHost => "from_host",
            Self::Connections(_) => "connections",
            Self::NewConnections => "new_connections",
        }
    }
}

/// Path of a frame: from a tag on a link, or from a tunnel, to a destination.
#[derive(Debug)]
pub struct Way {
    pub link: LinkSlot,
    pub vid: VlanId,
    /// The tunnel of the network that it is from.
    pub tunnel: Tunnel,
    pub address: MacAddr,
    /// The numbers of the ports that it is from, and to.
    pub ends: (usize, usize),
}

/// The endpoints of the host and of the other one.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// The link by which the other host is reached.
pub const UPLINK: LinkSlot = LinkSlot(60_000);

impl SizedScenario {
    /// A scenario with `segmentations` segmentations, and its tables.
    pub fn new(segmentations: usize) -> (Self, Tables) {
        Self::guarded(segmentations, Guard::Nothing)
    }

    /// The same with subports whose frames are checked.
    pub fn guarded(segmentations: usize, guard: Guard) -> (Self, Tables) {
        let networks = segmentations.min(NETWORKS);
        Self::build(Self { segmentations, networks, reach: Reach::Nothing, guard })
    }

    /// The same with another host.
    pub fn with_host(segmentations: usize) -> (Self, Tables) {
        let networks = segmentations.min(NETWORKS);
        Self::build(Self { segmentations, networks, reach: Reach::Host, guard: Guard::Nothing })
    }

    /// A scenario in which a broadcast of a subport has `receivers` receivers, and its tables.
    pub fn for_floods(receivers: usize) -> (Self, Tables) {
        let networks = FLOOD_SEGMENTATIONS / receivers;
        let segmentations = networks * receivers;
        Self::build(Self { segmentations, networks, reach: Reach::Nothing, guard: Guard::Nothing })
    }

    fn build(self) -> (Self, Tables) {
        let mut compiler = Compiler::new(1, Policy::default());
        for parent in 0..self.parents() {
            compiler.set_link(LocalLink {
                slot: LinkSlot(parent as u16),
                ifindex: IfIndex::new(parent as u32 + 1).unwrap(),
                role: LinkRole::Port(port_id(self.parent_port(parent)).into()),
                up: true,
                queues: [0].into_iter().collect(),
                complete_checksums: false,
                mtu: 1500,
                longest_frame: 1518,
                host_address: None,
            });
        }
        if self.reach == Reach::Host {
            set_uplink(&mut compiler);
        }
        compiler.apply_snapshot(&Snapshot { revision: Revision(1), records: self.records() });
        let tables = compiler.compile();
        assert_eq!(compiler.problems(), []);
        (self, tables)
    }

    fn records(&self) -> Vec<Record> {
        let networks = (0..=self.networks).map(|number| network(number, self.reach));
        let subports = (0..self.segmentations + self.networks).flat_map(|subport| {
            let (parent, vid) = self.place(subport);
            let mut port = port(subport, subport % self.networks);
            merge(&mut port.json, self.guard.fields(subport));
            [port, segmentation(subport, self.parent_port(parent), vid)]
        });
        let parents = (0..self.parents()).map(|parent| port(self.parent_port(parent), self.networks));
        let remote = if self.reach == Reach::Host { self.networks } else { 0 };
        let remote = (0..remote).map(|network| remote_port(self.remote_port(network), network));
        let host = (self.reach == Reach::Host).then(other_host);
        let mut records: Vec<_> =
            host.into_iter().chain(networks).chain(subports).chain(parents).chain(remote).collect();
        records.extend(self.guard.records(self.parent_port(self.parents())));
        records.sort_by(|a, b| (a.table, &a.id).cmp(&(b.table, &b.id)));
        records
    }

    /// Draws the path of a frame that comes from `link`. `draw` returns a random number less than its
    /// argument.
    pub fn way(&self, link: usize, traffic: Traffic, draw: &mut impl FnMut(usize) -> usize) -> Way {
        let first = link * SUBPORTS_PER_PARENT;
        let from = first + draw(SUBPORTS_PER_PARENT.min(self.segmentations - first));
        let vid = if traffic == Traffic::Parents { VlanId::MAX } else { self.place(from).1 };
        let to = match traffic {
            Traffic::Hit | Traffic::Connections(_) | Traffic::NewConnections => self.neighbour(from, draw),
            Traffic::Unknown => usize::MAX - draw(self.segmentations),
            Traffic::Parents => self.parent_port((link + 1 + draw(self.parents() - 1)) % self.parents()),
            Traffic::ToHost => self.remote_port(from % self.networks),
            Traffic::Flood | Traffic::FromHost => from,
        };
        let address = if traffic == Traffic::Flood { MacAddr::BROADCAST } else { address(to) };
        let link = if traffic == Traffic::FromHost { UPLINK } else { LinkSlot(link as u16) };
        Way { link, vid, tunnel: tunnel(from % self.networks), address, ends: (from, to) }
    }

    /// Number of links that frames come from.
    pub const fn sending_links(&self) -> usize {
        self.segmentations.div_ceil(SUBPORTS_PER_PARENT)
    }

    /// Another subport of the network of subport `from`.
    fn neighbour(&self, from: usize, draw: &mut impl FnMut(usize) -> usize) -> usize {
        let network = from % self.networks;
        let members = (self.segmentations + self.networks - network).div_ceil(self.networks);
        let to = network + draw(members - 1) * self.networks;
        if to >= from { to + self.networks } else { to }
    }

    const fn parents(&self) -> usize {
        self.sending_links() + 1
    }

    /// Number of a parent's port: those of subports come first.
    const fn parent_port(&self, parent: usize) -> usize {
        self.segmentations + self.networks + parent
    }

    /// The port of a network on the other host.
    const fn remote_port(&self, network: usize) -> usize {
        self.parent_port(self.parents()) + network
    }

    /// Parent of a subport, and its tag there.
    fn place(&self, subport: usize) -> (usize, VlanId) {
        let (parent, place) = match subport.checked_sub(self.segmentations) {
            Some(listener) => (self.parents() - 1, listener),
            None => (subport / SUBPORTS_PER_PARENT, subport % SUBPORTS_PER_PARENT),
        };
        (parent, VlanId::new(place as u16 + 1).unwrap())
    }
}

fn network(number: usize, reach: Reach) -> Record {
    let id = network_id(number);
    let mut json = json!({"id": id, "unique_key": number + 1});
    if reach == Reach::Host {
        let tunnel = tunnel(number);
        json["network_type"] = tunnel.kind().name().into();
        json["segmentation_id"] = tunnel.key().into();
    }
    Record { table: Table::Lswitch, id, json }
}

fn tunnel(network: usize) -> Tunnel {
    Tunnel::new(TunnelType::Vxlan, network as u64 + 1).unwrap()
}

fn other_host() -> Record {
    let json = json!({"id": "other", "ip": OTHER, "tunnel_types": ["vxlan"]});
    Record { table: Table::Chassis, id: "other".to_owned(), json }
}

fn remote_port(number: usize, network: usize) -> Record {
    let mut port = port(number, network);
    port.json["binding"] = json!({"type": "chassis", "chassis": "other"});
    port
}

fn set_uplink(compiler: &mut Compiler) {
    compiler.set_host(Host { chassis: "here".into(), endpoint: Some(HERE), ..Host::default() });
    let ifindex = IfIndex::new(1 + u32::from(UPLINK.0)).unwrap();
    compiler.set_link(LocalLink {
        slot: UPLINK,
        ifindex,
        role: LinkRole::Uplink("uplink".into()),
        up: true,
        queues: [0].into_iter().collect(),
        complete_checksums: false,
        mtu: 1600,
        longest_frame: 1618,
        host_address: None,
    });
    let path = UnderlayPath { ifindex, endpoints: endpoints(HERE, OTHER), mtu: 1600 };
    compiler.set_paths(OTHER, Some(Ok(vec![path])));
}

/// The ends of a tunnel, with addresses of a first hop.
pub fn endpoints(source: IpAddr, destination: IpAddr) -> Endpoints {
    let mac = |last| MacAddr::new([2, 0, 0, 0, 1, last]);
    Endpoints { source, destination, source_mac: mac(1), destination_mac: mac(2) }
}

fn port(number: usize, network: usize) -> Record {
    let id = port_id(number);
    let json = json!({
        "id": id,
        "unique_key": number + 1,
        "lswitch": network_id(network),
        "macs": [address(number).to_string()],
    });
    Record { table: Table::Lport, id, json }
}

fn segmentation(subport: usize, parent: usize, vid: VlanId) -> Record {
    let id = format!("segmentation{subport}");
    let json = json!({
        "id": id,
        "parent": port_id(parent),
        "port": port_id(subport),
        "segmentation_type": "vlan",
        "segmentation_id": vid.get(),
    });
    Record { table: Table::ChildPortSegmentation, id, json }
}

fn network_id(number: usize) -> String {
    format!("network{number}")
}

fn port_id(number: usize) -> String {
    format!("port{number}")
}

pub fn address(number: usize) -> MacAddr {
    let [.., a, b, c, d] = number.to_be_bytes();
    MacAddr::new([0xfa, 0x16, a, b, c, d])
}
