//! Two hosts, a guest behind each, and an underlay between them.
//!
//! ```text
//!   guest 1          host 1                      host 2          guest 2
//!     e0 ---------- p0  [switch]  u1 ====== u2  [switch]  p0 ---------- e0
//!   10.38.0.1                 192.0.2.1   192.0.2.2                10.38.0.2
//!                         2001:db8:2::1   2001:db8:2::2
//! ```

use std::fs;
use std::net::IpAddr;

use testkit::command::{output, run, succeed};
use testkit::installed::is_installed;
use testkit::netns::{Netns, veth};
use testkit::root::is_root;
use testkit::wait::until;
use trunkpath::types::TunnelType;

use crate::netns::transport;

/// The VNI or GRE key of the network that both guests are on.
pub const KEY: u32 = 38;

/// The guest's link on a host.
pub const GUEST_LINK: &str = "p0";

/// Bytes of the longest outer packet: that of a guest's 1500 bytes fits, with any type of tunnel.
const UNDERLAY_MTU: u32 = 1600;

/// The IP version of the outer packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// A host and its guest, without a switch.
#[derive(Debug)]
pub struct Site {
    pub number: u8,
    pub host: Netns,
    pub guest: Netns,
    pub kind: TunnelType,
    pub family: Family,
}

/// The switch of a host: it joins the guest's link to the tunnel. Ends when dropped.
pub trait Switch {
    /// Waits until frames can leave by the tunnel. Called when both switches are started.
    fn wait_until_ready(&self) {}

    /// Asserts after the exchange that nothing is wrong on this host.
    fn assert_sound(&self) {}

    /// What its operator would read, printed when a test fails.
    fn state(&self) -> String;
}

/// Starts a switch on a host, for a tunnel to the other one.
pub type Start = fn(&Site) -> Box<dyn Switch>;

impl Site {
    fn new(number: u8, kind: TunnelType, family: Family) -> Self {
        let (host, guest) = (Netns::new(&format!("host{number}")), Netns::new(&format!("guest{number}")));
        veth((&host, GUEST_LINK), (&guest, "e0", &format!("02:38:00:00:00:{number:02}")), 1);
        guest.ip(&format!("address add {}/24 dev e0", guest_address(number)));
        Self { number, host, guest, kind, family }
    }

    /// The link to the other host.
    pub fn uplink(&self) -> String {
        format!("u{}", self.number)
    }

    /// The tunnel endpoint of this host.
    pub fn local(&self) -> IpAddr {
        self.endpoint(self.number)
    }

    /// The tunnel endpoint of the other host.
    pub fn remote(&self) -> IpAddr {
        self.endpoint(3 - self.number)
    }

    fn endpoint(&self, number: u8) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::from([192, 0, 2, number]),
            Family::V6 => IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(number)]),
        }
    }

    /// Adds the tunnel endpoint to a link of this host.
    pub fn add_endpoint(&self, link: &str) {
        if self.family == Family::V6 {
            let disabled = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
            self.host.enter(|| fs::write(disabled, "0").unwrap());
        }
        let (local, length) = (self.local(), if self.family == Family::V4 { 24 } else { 64 });
        self.host.ip(&format!("address add {local}/{length} dev {link} nodad"));
    }
}

/// Both hosts with their switches. Fields are dropped in this order: a switch ends before its links.
pub struct Pair {
    switches: [Box<dyn Switch>; 2],
    sites: [Site; 2],
}

/// Runs `test` between two hosts; without root or Open vSwitch it is skipped.
pub fn between(
    test: &str,
    (kind, family): (TunnelType, Family),
    switches: [Start; 2],
    work: impl FnOnce(&Pair),
) {
    if !is_root(test) || !is_installed(test, "ovs-vswitchd") {
        return;
    }
    let sites = [1, 2].map(|number| Site::new(number, kind, family));
    let [one, two] = &sites;
    let (here, there) = (one.uplink(), two.uplink());
    veth((&one.host, &here), (&two.host, &there, "02:aa:00:00:00:02"), 1);
    for (site, link) in [(one, &here), (two, &there)] {
        site.host.ip(&format!("link set dev {link} mtu {UNDERLAY_MTU}"));
    }
    let switches = [switches[0](one), switches[1](two)];
    let pair = Pair { switches, sites };
    for switch in &pair.switches {
        switch.wait_until_ready();
    }
    work(&pair);
    for switch in &pair.switches {
        switch.assert_sound();
    }
}

impl Pair {
    /// The guests exchange pings of 56 and 1472 bytes, which fill an MTU of 1500, and two megabytes over TCP
    /// in each direction.
    pub fn assert_connected(&self) {
        let [one, two] = &self.sites;
        until("the first ping", || self.ping(1, "-c 1 -W 1").then_some(()));
        for number in [1, 2] {
            assert!(self.ping(number, "-c 3 -i 0.2 -W 5"), "{}", self.state());
            assert!(self.ping(number, "-c 1 -W 5 -s 1472 -M do"), "{}", self.state());
        }
        transport::tcp(&one.guest, &two.guest, guest_address(2));
        transport::tcp(&two.guest, &one.guest, guest_address(1));
    }

    /// Pings of 1472 bytes that may be fragmented are answered.
    pub fn assert_long_pings_from(&self, number: u8) {
        assert!(self.ping(number, "-c 3 -i 0.2 -W 5 -s 1472 -M dont"), "{}", self.state());
    }

    /// Gives the route of a host to the other one an MTU of 1280, so that its kernel fragments longer
    /// packets.
    pub fn narrow(&self, number: u8) {
        let site = &self.sites[usize::from(number) - 1];
        site.host.ip(&format!("route add {} dev {} mtu 1280", site.remote(), site.uplink()));
    }

    /// IPv4 packets that the kernel of a host has reassembled.
    pub fn received_fragments(&self, number: u8) -> u64 {
        let site = &self.sites[usize::from(number) - 1];
        let counter = if site.family == Family::V4 { "IpReasmOKs" } else { "Ip6ReasmOKs" };
        let printed = succeed(site.host.command("nstat").args(["-asz", counter]), "");
        let line =
            printed.lines().find(|line| line.starts_with(counter)).unwrap_or_else(|| panic!("{printed}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether all pings from a guest to the other one are answered.
    fn ping(&self, from: u8, options: &str) -> bool {
        let mut ping = self.sites[usize::from(from) - 1].guest.command("ping");
        ping.arg("-q").args(options.split(' ')).arg(guest_address(3 - from).to_string());
        let output = output(&mut ping, "");
        String::from_utf8_lossy(&output.stdout).contains(" 0% packet loss")
    }

    fn state(&self) -> String {
        self.switches.iter().map(|switch| switch.state()).collect::<Vec<_>>().join("\n---\n")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.state());
        }
    }
}

fn guest_address(number: u8) -> IpAddr {
    IpAddr::from([10, 38, 0, number])
}

/// Frames that leave by `link` have complete checksums: user space that reads them does not see which are
/// partial.
pub fn complete_checksums(netns: &Netns, link: &str) {
    succeed(netns.command("ethtool").args(["-K", link, "tx", "off"]), "");
}

/// The same for the other end of a host's link to the other host, whose namespace the site does not own.
pub fn complete_checksums_of_peer(site: &Site) {
    let peer = site.host.ip(&format!("-o link show dev {}", site.uplink()));
    let netns = peer.split("link-netns ").nth(1).unwrap().split_whitespace().next().unwrap();
    run(&format!("ip netns exec {netns} ethtool -K u{} tx off", 3 - site.number));
}
