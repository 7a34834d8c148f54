//! Tables of any size.

use serde_json::{Value, json};
use trunkpath::nb::{Change, Record, Table};
use trunkpath::tables::{Compiler, LinkSlot, LocalLink, Tables};
use trunkpath::types::{IfIndex, MacAddr, VlanId};

/// Subports of one parent, at the most.
const SUBPORTS_PER_PARENT: usize = 4000;
const NETWORKS: usize = 100;

/// Parents with subports, dealt out to networks. A network's last subport is a listener on a parent that all
/// networks share, so that there is someone to send to even in the smallest cloud.
pub struct Cloud {
    segmentations: usize,
    networks: usize,
}

/// A frame's way: from a subport behind a link, to another subport's port and address.
pub struct Way {
    pub link: LinkSlot,
    pub vid: VlanId,
    pub address: MacAddr,
}

impl Cloud {
    /// A cloud of `segmentations` segmentations, and its tables.
    pub fn new(segmentations: usize) -> (Self, Tables) {
        let cloud = Self { segmentations, networks: segmentations.min(NETWORKS) };
        let mut compiler = Compiler::new(1);
        let mut put = |table, json: Value| {
            let id = json["id"].as_str().unwrap().to_owned();
            compiler.apply(&Change::Put(Record { table, id, json }));
        };
        for network in 0..cloud.networks {
            put(Table::Lswitch, json!({"id": network_id(network), "unique_key": network + 1}));
        }
        let parents = cloud.listener_parent() + 1;
        for parent in 0..parents {
            put(Table::Lport, port(segmentations + cloud.networks + parent, 0));
        }
        for subport in 0..segmentations + cloud.networks {
            put(Table::Lport, port(subport, subport % cloud.networks));
            let (parent, vid) = cloud.place(subport);
            let segmentation = json!({
                "id": format!("segmentation{subport}"),
                "parent": port_id(segmentations + cloud.networks + parent),
                "port": port_id(subport),
                "segmentation_type": "vlan",
                "segmentation_id": vid.get(),
            });
            put(Table::ChildPortSegmentation, segmentation);
        }
        let link = |parent: usize| LocalLink {
            slot: LinkSlot(parent as u16),
            ifindex: IfIndex::new(parent as u32 + 1).unwrap(),
            lport: port_id(segmentations + cloud.networks + parent).into(),
            up: true,
            queues: vec![0],
            complete_checksums: false,
        };
        (0..parents).for_each(|parent| compiler.set_link(link(parent)));
        let tables = compiler.compile();
        assert_eq!(compiler.problems(), []);
        (cloud, tables)
    }

    /// A way from a random subport of `link` to a random other one of its network. `draw` gives a number below its
    /// argument.
    pub fn way(&self, link: usize, draw: &mut impl FnMut(usize) -> usize) -> Way {
        let first = link * SUBPORTS_PER_PARENT;
        let from = first + draw(SUBPORTS_PER_PARENT.min(self.segmentations - first));
        let network = from % self.networks;
        let members = (self.segmentations + self.networks - network).div_ceil(self.networks);
        let mut to = network + draw(members - 1) * self.networks;
        if to >= from {
            to += self.networks;
        }
        let (parent, vid) = self.place(from);
        Way { link: LinkSlot(parent as u16), vid, address: address(to) }
    }

    /// The number of links that frames come from.
    pub const fn sending_links(&self) -> usize {
        self.segmentations.div_ceil(SUBPORTS_PER_PARENT)
    }

    const fn listener_parent(&self) -> usize {
        self.sending_links()
    }

    /// The parent of a subport, and its tag there.
    fn place(&self, subport: usize) -> (usize, VlanId) {
        let (parent, place) = match subport.checked_sub(self.segmentations) {
            Some(listener) => (self.listener_parent(), listener),
            None => (subport / SUBPORTS_PER_PARENT, subport % SUBPORTS_PER_PARENT),
        };
        (parent, VlanId::new(place as u16 + 1).unwrap())
    }
}

fn port(number: usize, network: usize) -> Value {
    json!({
        "id": port_id(number),
        "unique_key": number + 1,
        "lswitch": network_id(network),
        "macs": [address(number).to_string()],
    })
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
