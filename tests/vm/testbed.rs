//! A host with the daemon, a tap for each VM, and on each network a namespace as its peer.
//!
//! ```text
//!   VM                     peer 1 ... peer 4     namespaces, on networks 1 to 4
//!   eth0 (eth0.100, ...)   eth0       eth0
//!    |                      |          |         virtio-net; veths
//!   tap5                   veth1      veth4      the host: a namespace, the daemon, its database
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::Value;

use super::image::{Image, Kernel};
use super::machine::{Offloads, Vm};
use testkit::daemon::{Daemon, Files};
use testkit::frame::Mac;
use testkit::netns::{Netns, veth};
use testkit::records::{self, port_id};

/// Number of networks, each with a peer.
const NETWORKS: u8 = 4;

/// A link in a VM or of a peer, behind a logical port.
#[derive(Debug, Clone, Copy)]
pub struct GuestLink {
    /// `unique_key` of its logical port; with the number of the network it determines the addresses.
    key: u8,
    network: u8,
    pub mac: Mac,
    /// VID of a subport on its parent's link.
    pub vid: Option<u16>,
}

impl GuestLink {
    /// Name at its guest.
    pub fn dev(&self) -> String {
        self.vid.map_or("eth0".to_owned(), |vid| format!("eth0.{vid}"))
    }

    /// IPv4 and IPv6 address.
    pub fn ips(&self) -> [IpAddr; 2] {
        let (network, host) = (u16::from(self.network), u16::from(self.key));
        [[10, self.network, 0, self.key].into(), [0xfd00, network, 0, 0, 0, 0, 0, host].into()]
    }

    /// Addresses with prefix lengths.
    pub fn subnets(&self) -> [String; 2] {
        let [v4, v6] = self.ips();
        [format!("{v4}/24"), format!("{v6}/64")]
    }

    /// Id of its logical port.
    pub fn port(&self) -> String {
        port_id(self.key.into())
    }

    fn tap(&self) -> String {
        format!("tap{}", self.key)
    }
}

/// A namespace on a network, as the other end for VMs.
#[derive(Debug)]
pub struct Peer {
    pub netns: Netns,
    pub guest_link: GuestLink,
}

/// A host with the daemon, VMs and peers. Fields are dropped in this order: the daemon stops before its links
/// are deleted.
#[derive(Debug)]
pub struct VmTestbed {
    daemon: Option<Daemon>,
    peers: Vec<Peer>,
    host: Netns,
    image: Image,
    pub files: Files,
    records: String,
    guest_links: Vec<GuestLink>,
}

/// Runs `test` on a testbed, then asserts what holds after every test: no frame is lost, the daemon stops
/// without an error, and nothing is left on its links. VMs end with `test`.
pub fn on_testbed(test: impl FnOnce(&mut VmTestbed)) {
    let name = std::thread::current().name().unwrap_or("this test").to_owned();
    let Some(image) = Image::for_test(&name, Kernel::of_guests(), &[]) else { return };
    let mut testbed = VmTestbed::new(image);
    test(&mut testbed);
    testbed.finish();
}

impl VmTestbed {
    fn new(image: Image) -> Self {
        let mut testbed = Self {
            daemon: None,
            peers: vec![],
            host: Netns::new("host"),
            image,
            files: Files::new(),
            records: String::new(),
            guest_links: vec![],
        };
        for network in 1..=NETWORKS {
            testbed.record(&records::network(network.into()));
            let peer = testbed.peer_on(network);
            testbed.peers.push(peer);
        }
        testbed
    }

    fn peer_on(&mut self, network: u8) -> Peer {
        let guest_link = self.guest_link(network, None, true);
        let (netns, dev) = (Netns::new("peer"), format!("veth{network}"));
        veth((&self.host, &dev), (&netns, "eth0", &records::text(guest_link.mac)), 1);
        self.host.ip(&format!("link set dev {dev} alias {}", guest_link.port()));
        netns.enter(|| std::fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0").unwrap());
        let [v4, v6] = guest_link.subnets();
        netns.ip(&format!("address add {v4} dev eth0"));
        netns.ip(&format!("address add {v6} dev eth0 nodad"));
        Peer { netns, guest_link }
    }

    // --- before the start
    // -----------------------------------------------------------------------------------------

    /// Adds the port of a VM on network 1, and its tap.
    pub fn parent(&mut self) -> GuestLink {
        let port = self.guest_link(1, None, true);
        let tap = port.tap();
        self.host.ip(&format!("tuntap add dev {tap} mode tap vnet_hdr"));
        self.host.ip(&format!("link set dev {tap} alias {} up", port.port()));
        port
    }

    /// Adds a subport of `parent`.
    pub fn subport(&mut self, parent: &GuestLink, vid: u16, network: u8) -> GuestLink {
        let port = self.spare_port(vid, network);
        self.record(&records::segmentation(parent.key.into(), port.key.into(), vid));
        port
    }

    /// Adds a port without a segmentation that could become a subport.
    pub fn spare_port(&mut self, vid: u16, network: u8) -> GuestLink {
        self.guest_link(network, Some(vid), false)
    }

    fn guest_link(&mut self, network: u8, vid: Option<u16>, bound: bool) -> GuestLink {
        let key = u8::try_from(self.guest_links.len()).unwrap() + 1;
        let guest_link = GuestLink { key, network, mac: [0xfa, 0x16, 0x3e, 0, 2, key], vid };
        self.record(&records::port(key.into(), network.into(), &guest_link.dev(), guest_link.mac, bound));
        self.guest_links.push(guest_link);
        guest_link
    }

    fn record(&mut self, record: &Value) {
        writeln!(self.records, "{record}").unwrap();
    }

    /// Writes the records and starts the daemon on them.
    pub fn start(&mut self) {
        self.files.nb(&["apply", "-"], &self.records);
        self.daemon = Some(Daemon::start(&self.host, &self.files, &[]));
        self.wait_for_peers();
    }

    // --- while it runs
    // --------------------------------------------------------------------------------------------

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon is started")
    }

    /// Starts the VM of `parent`.
    pub fn power_on(&self, parent: &GuestLink, offloads: Offloads) -> Vm {
        Vm::start(&self.image, &self.host, &parent.tap(), parent, offloads)
    }

    /// Starts a VM with the links `own`, the first of which is its parent port; returns when it has
    /// booted and is served.
    pub fn boot(&self, own: &[GuestLink]) -> Vm {
        let mut vm = self.power_on(&own[0], Offloads::Stock);
        vm.wait_until_booted();
        vm.configure(own);
        self.wait_until_all_up();
        vm
    }

    /// Waits until all ports are served, including those of VMs.
    pub fn wait_until_all_up(&self) {
        let ports = self.guest_links.iter().filter(|guest_link| guest_link.vid.is_none()).count();
        self.daemon().wait_until_up("ports", ports);
        self.daemon().wait_until_up("subports", self.records.matches("\"child_port_segmentation\"").count());
    }

    /// Waits until all ports are served except those of VMs, which are off.
    pub fn wait_for_peers(&self) {
        self.daemon().wait_until_up("ports", self.peers.len());
    }

    /// The namespace on the same network as `guest_link`.
    pub fn peer(&self, guest_link: &GuestLink) -> &Peer {
        &self.peers[usize::from(guest_link.network) - 1]
    }

    fn finish(&mut self) {
        let daemon = self.daemon.take().expect("the daemon is started");
        daemon.assert_frames_conserved();
        daemon.stop();
        self.host.assert_no_programs();
    }
}

impl Drop for VmTestbed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of trunkpath\n{}", self.files.log());
            if let Some(daemon) = &self.daemon {
                for what in ["ports", "subports", "problems"] {
                    eprintln!("--- {what}\n{:#?}", daemon.show(what));
                }
                eprintln!("--- stats\n{:#?}", daemon.stats());
            }
        }
    }
}
