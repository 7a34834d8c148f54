//! Links of the kernel at the other end of each kind of network: geneve, gretap and ip6gretap, a VLAN link,
//! and a link without any of these. Many kernels lack the drivers for them, so this test runs in a VM, in the
//! copy of this program in its image: `vm::kernel_links` starts it.
//!
//! ```text
//!   guests             host 1                                    machine 1
//!     eth0     ------ [daemon] -- eth1 == br1 ------------------ eth0: geneve link
//!     eth0.100 ------          -- eth2 == br2                    a namespace, as machines 2 to 4
//! ```

use std::net::IpAddr;

use serde_json::{Value, json};

use testkit::command::output;
use testkit::netns::{Netns, veth};
use testkit::wait::until;

use super::testbed::{Hosts, MTU, endpoint, mac, on_hosts, reaches, tunnel};
use crate::netns::transport::tcp_of;

/// The VID of the provider network.
const VID: u16 = 1234;

/// The VID of each guest's subport.
const SUBPORT_VID: u16 = 100;

/// Bytes in each direction of a TCP connection. An emulated machine takes a second for them.
const TCP_BYTES: u32 = 100_000;

/// What joins a machine to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Geneve,
    Gre,
    Vlan,
    Flat,
}

impl Kind {
    /// The fields of a network of this kind. `number` is the VNI or the key of its tunnels.
    fn segment(self, number: u8) -> Value {
        match self {
            Self::Geneve => tunnel("geneve", number.into()),
            Self::Gre => tunnel("gre", number.into()),
            Self::Vlan => {
                json!({ "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": VID })
            }
            Self::Flat => json!({ "network_type": "flat", "physical_network": "physnet2" }),
        }
    }

    fn is_tunnel(self) -> bool {
        matches!(self, Self::Geneve | Self::Gre)
    }
}

/// A namespace with a link of the kernel on the network of the same number. For the switch, a machine with a
/// tunnel is a host whose number is one more.
#[derive(Debug)]
struct Machine {
    netns: Netns,
    kind: Kind,
    number: u8,
}

impl Machine {
    fn new(hosts: &Hosts, kind: Kind, number: u8) -> Self {
        let (netns, far) = (Netns::new(&format!("machine{number}")), format!("m{number}"));
        veth((&hosts.wire, &far), (&netns, "eth0", &format!("02:aa:00:00:05:{number:02x}")), 1);
        // The link of a flat network carries nothing else.
        let bridge = if kind == Kind::Flat { "br2" } else { "br1" };
        hosts.wire.ip(&format!("link set dev {far} mtu {MTU} master {bridge}"));
        netns.ip(&format!("link set dev eth0 mtu {MTU}"));
        let machine = Self { netns, kind, number };
        match kind {
            Kind::Geneve | Kind::Gre => hosts.put_port(machine.key(), number.into(), Some(number + 1)),
            Kind::Vlan => machine.add_link("net0", &format!("link eth0 name net0 type vlan id {VID}")),
            Kind::Flat => machine.configure("eth0"),
        }
        machine
    }

    /// Replaces the link of a tunnel by one between these endpoints.
    fn connect(&self, hosts: &Hosts, name: &str, [local, remote]: [IpAddr; 2]) {
        add_endpoint(&self.netns, "eth0", local);
        let (host, types) = (format!("host{}", self.number + 1), ["vxlan", "geneve", "gre"]);
        hosts.put("chassis", &json!({ "id": host, "ip": local.to_string(), "tunnel_types": types }));
        let number = self.number;
        let kind = match (self.kind, local) {
            (Kind::Geneve, _) => format!("geneve id {number} remote {remote}"),
            (_, IpAddr::V4(_)) => format!("gretap local {local} remote {remote} key {number}"),
            // By default, outer packets have an extension header with a limit of encapsulations.
            (_, IpAddr::V6(_)) => {
                format!("ip6gretap local {local} remote {remote} key {number} encaplimit none")
            }
        };
        self.add_link(name, &format!("name {name} type {kind}"));
    }

    fn add_link(&self, name: &str, link: &str) {
        self.netns.ip(&format!("link add address {} {link}", mac(self.key())));
        self.configure(name);
    }

    fn configure(&self, link: &str) {
        // As the guests have. Their tunnel packets fit the underlay.
        self.netns.ip(&format!("link set dev {link} mtu 1500 up"));
        for address in [self.own(), self.subport()] {
            self.netns.ip(&format!("address add {address}/24 dev {link}"));
        }
    }

    /// The `unique_key` of its port, if it has a tunnel; also the end of its addresses.
    fn key(&self) -> u32 {
        20 + u32::from(self.number)
    }

    /// Its address for own ports.
    fn own(&self) -> String {
        format!("10.38.0.{}", self.key())
    }

    /// Its address for subports.
    fn subport(&self) -> String {
        format!("10.{}.0.{}", 100 + self.number, self.key())
    }
}

fn add_endpoint(netns: &Netns, link: &str, address: IpAddr) {
    let length = if address.is_ipv4() { 24 } else { 64 };
    if address.is_ipv6() {
        let disabled = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
        netns.enter(|| std::fs::write(disabled, "0").unwrap());
    }
    netns.ip(&format!("address add {address}/{length} dev {link} nodad"));
}

#[test]
#[ignore = "runs in a VM: vm::kernel_links starts it"]
fn ports_and_subports_reach_the_kernels_links() {
    on_hosts(1, |hosts| {
        hosts.add_underlay("br2");
        hosts.plug(1, "br2", "eth2", "");
        hosts.all[0].argue(&["--umem-mib", "16"]);
        hosts.all[0].argue(&["--uplink", "physnet1=eth1", "--uplink", "physnet2=eth2"]);
        let kinds = (1..).zip([Kind::Geneve, Kind::Gre, Kind::Vlan, Kind::Flat]);
        let machines: Vec<_> = kinds.map(|(number, kind)| Machine::new(hosts, kind, number)).collect();
        for machine in &machines {
            hosts.network(machine.number.into(), &machine.kind.segment(machine.number));
        }
        // Each guest has its own port on one network, and a subport on the next one.
        let subports: Vec<_> = (1..=machines.len())
            .map(|network| add_guest(hosts, network as u32, (network % machines.len() + 1) as u32))
            .collect();

        let v4 = |number| endpoint(number).parse().unwrap();
        let v6 = |number: u8| IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(number)]);
        let tunnels: Vec<_> = machines.iter().filter(|machine| machine.kind.is_tunnel()).collect();
        for machine in &tunnels {
            machine.connect(hosts, "net0", [v4(machine.number + 1), v4(1)]);
        }
        hosts.start();
        for machine in &machines {
            exchange(hosts, &subports, machine);
        }

        hosts.kill_host(1);
        add_endpoint(&hosts.host(1).netns, "eth1", v6(1));
        hosts.all[0].set_endpoint(&v6(1).to_string());
        for machine in &tunnels {
            machine.netns.ip("link delete dev net0");
            machine.connect(hosts, "net0", [v6(machine.number + 1), v6(1)]);
        }
        hosts.start();
        for machine in &tunnels {
            exchange(hosts, &subports, machine);
        }
        assert_eq!(hosts.host(1).daemon().show("problems"), Some(json!([])));
    });
}

/// Adds a guest with its own port on one network and a subport on another one. Returns the address of the
/// subport.
fn add_guest(hosts: &mut Hosts, network: u32, of_subport: u32) -> String {
    let guest = hosts.guest(&format!("g{network}"), 1, network);
    let link = format!("eth0.{SUBPORT_VID}");
    hosts.guests[guest].netns.ip(&format!("link add link eth0 name {link} type vlan id {SUBPORT_VID}"));
    hosts.subport_of_link(guest, 10 + network, of_subport, SUBPORT_VID)
}

/// Exchanges frames between a machine and both ports on its network. The guest is the client of one
/// connection, the machine of the other.
fn exchange(hosts: &Hosts, subports: &[String], machine: &Machine) {
    let number = usize::from(machine.number);
    let parent = (number + subports.len() - 2) % subports.len();
    let [own, of_subport] = [number - 1, parent].map(|guest| &hosts.guests[guest].netns);
    assert_connected(own, &machine.netns, &machine.own());
    assert_connected(&machine.netns, of_subport, &subports[parent]);
    println!("CONNECTED {:?}", machine.kind);
}

/// Asserts that `client` reaches `server` by frames that fill an MTU of 1500, and by TCP; both ways.
fn assert_connected(client: &Netns, server: &Netns, ip: &str) {
    until(&format!("an answer from {ip}"), || reaches(client, ip).then_some(()));
    let long = output(client.command("ping").args(["-c1", "-W5", "-s1472", "-Mdo", ip]), "");
    assert!(long.status.success(), "long packets to {ip}: {}", String::from_utf8_lossy(&long.stdout));
    tcp_of(TCP_BYTES, client, server, ip.parse().unwrap());
}
