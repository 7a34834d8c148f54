//! Tables of any size.

use trunkpath::nb::{ChildPortSegmentation, LogicalPort, LogicalSwitch, Northbound};
use trunkpath::tables::{CounterBook, LinkSlot, LocalLink, Tables, compile};
use trunkpath::types::{IfIndex, MacAddr, NetworkKey, PortKey, Segmentation, VlanId};

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
    pub to: PortKey,
    pub address: MacAddr,
}

impl Cloud {
    /// A cloud of `segmentations` segmentations, and its tables.
    pub fn new(segmentations: usize) -> (Self, Tables) {
        let cloud = Self { segmentations, networks: segmentations.min(NETWORKS) };
        let mut nb = Northbound::default();
        for network in 0..cloud.networks {
            let id = format!("network{network}");
            let key = NetworkKey::new(network as u32 + 1).unwrap();
            let record =
                LogicalSwitch { id: id.clone(), key, name: String::new(), network_type: None, mtu: None };
            nb.lswitches.insert(id, record);
        }
        let parents = cloud.listener_parent() + 1;
        for parent in 0..parents {
            insert_port(&mut nb, segmentations + cloud.networks + parent, 0);
        }
        for subport in 0..segmentations + cloud.networks {
            insert_port(&mut nb, subport, subport % cloud.networks);
            let (parent, vid) = cloud.place(subport);
            let segmentation = ChildPortSegmentation {
                id: format!("segmentation{subport}"),
                parent: port_id(segmentations + cloud.networks + parent),
                port: port_id(subport),
                segmentation: Segmentation::Vlan(vid),
            };
            nb.segmentations.insert(segmentation.id.clone(), segmentation);
        }
        let link = |parent: usize| LocalLink {
            slot: LinkSlot(parent as u16),
            ifindex: IfIndex::new(parent as u32 + 1).unwrap(),
            lport: port_id(segmentations + cloud.networks + parent),
            up: true,
            queues: vec![0],
            complete_checksums: false,
        };
        let links: Vec<_> = (0..parents).map(link).collect();
        let compiled = compile(&nb, &links, &mut CounterBook::new(1));
        assert_eq!(compiled.problems, []);
        (cloud, compiled.tables)
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
        Way { link: LinkSlot(parent as u16), vid, to: key(to), address: address(to) }
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

fn insert_port(nb: &mut Northbound, number: usize, network: usize) {
    let port = LogicalPort {
        id: port_id(number),
        key: key(number),
        name: String::new(),
        lswitch: format!("network{network}"),
        macs: vec![address(number)],
        ips: Vec::new(),
        enabled: true,
        binding: None,
    };
    nb.lports.insert(port.id.clone(), port);
}

fn port_id(number: usize) -> String {
    format!("port{number}")
}

fn key(number: usize) -> PortKey {
    PortKey::new(number as u32 + 1).unwrap()
}

fn address(number: usize) -> MacAddr {
    let [.., a, b, c, d] = number.to_be_bytes();
    MacAddr::new([0xfa, 0x16, a, b, c, d])
}
