//! Scenarios whose tables have a given size.

use serde_json::json;
use trunkpath::nb::{Record, Revision, Snapshot, Table};
use trunkpath::tables::{Compiler, LinkSlot, LocalLink, Policy, Tables};
use trunkpath::types::{IfIndex, LinkRole, MacAddr, VlanId};

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
}

impl Traffic {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Unknown => "unknown",
            Self::Parents => "parents",
            Self::Flood => "flood",
        }
    }
}

/// Path of a frame: from a tag on a link to a destination.
#[derive(Debug)]
pub struct Way {
    pub link: LinkSlot,
    pub vid: VlanId,
    pub address: MacAddr,
}

impl SizedScenario {
    /// A scenario with `segmentations` segmentations, and its tables.
    pub fn new(segmentations: usize) -> (Self, Tables) {
        Self::build(Self { segmentations, networks: segmentations.min(NETWORKS) })
    }

    /// A scenario in which a broadcast of a subport has `receivers` receivers, and its tables.
    pub fn for_floods(receivers: usize) -> (Self, Tables) {
        let networks = FLOOD_SEGMENTATIONS / receivers;
        Self::build(Self { segmentations: networks * receivers, networks })
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
            });
        }
        compiler.apply_snapshot(&Snapshot { revision: Revision(1), records: self.records() });
        let tables = compiler.compile();
        assert_eq!(compiler.problems(), []);
        (self, tables)
    }

    fn records(&self) -> Vec<Record> {
        let networks = (0..=self.networks).map(network);
        let subports = (0..self.segmentations + self.networks).flat_map(|subport| {
            let (parent, vid) = self.place(subport);
            [port(subport, subport % self.networks), segmentation(subport, self.parent_port(parent), vid)]
        });
        let parents = (0..self.parents()).map(|parent| port(self.parent_port(parent), self.networks));
        let mut records: Vec<_> = networks.chain(subports).chain(parents).collect();
        records.sort_by(|a, b| (a.table, &a.id).cmp(&(b.table, &b.id)));
        records
    }

    /// Draws the path of a frame that comes from `link`. `draw` returns a random number less than its
    /// argument.
    pub fn way(&self, link: usize, traffic: Traffic, draw: &mut impl FnMut(usize) -> usize) -> Way {
        let first = link * SUBPORTS_PER_PARENT;
        let from = first + draw(SUBPORTS_PER_PARENT.min(self.segmentations - first));
        let vid = match traffic {
            Traffic::Parents => VlanId::MAX,
            Traffic::Hit | Traffic::Unknown | Traffic::Flood => self.place(from).1,
        };
        let address = match traffic {
            Traffic::Hit => address(self.neighbour(from, draw)),
            Traffic::Unknown => address(usize::MAX - draw(self.segmentations)),
            Traffic::Parents => {
                address(self.parent_port((link + 1 + draw(self.parents() - 1)) % self.parents()))
            }
            Traffic::Flood => MacAddr::BROADCAST,
        };
        Way { link: LinkSlot(link as u16), vid, address }
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

    /// Parent of a subport, and its tag there.
    fn place(&self, subport: usize) -> (usize, VlanId) {
        let (parent, place) = match subport.checked_sub(self.segmentations) {
            Some(listener) => (self.parents() - 1, listener),
            None => (subport / SUBPORTS_PER_PARENT, subport % SUBPORTS_PER_PARENT),
        };
        (parent, VlanId::new(place as u16 + 1).unwrap())
    }
}

fn network(number: usize) -> Record {
    let id = network_id(number);
    let json = json!({"id": id, "unique_key": number + 1});
    Record { table: Table::Lswitch, id, json }
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

fn address(number: usize) -> MacAddr {
    let [.., a, b, c, d] = number.to_be_bytes();
    MacAddr::new([0xfa, 0x16, a, b, c, d])
}
