//! Two hosts with guests on networks of each type.

use serde_json::json;

use testkit::exchange::{Exchange, Network, Port, Station};
use testkit::wait::until;
use testkit::wire::{Capture, Sender};

use crate::hosts::testbed::{Hosts, endpoint, mac, reaches, tunnel};

/// Guests: name, host, network. The keys of their ports are 1, 2 and so on.
const GUESTS: [(&str, u8, u32); 6] =
    [("a", 1, 1), ("b", 1, 2), ("c", 1, 4), ("d", 2, 1), ("e", 2, 3), ("f", 2, 4)];

/// Subports: key, key of the parent, network, VID. A VID has different networks at different guests, and a
/// network different VIDs. Port 17 is a subport of a subport.
const SUBPORTS: [(u32, u32, u32, u16); 14] = [
    (11, 1, 2, 100),
    (12, 1, 3, 101),
    (13, 1, 4, 200),
    (14, 2, 1, 100),
    (15, 2, 5, 7),
    (16, 3, 5, 100),
    (17, 16, 3, 7),
    (21, 4, 2, 200),
    (22, 4, 3, 100),
    (23, 4, 4, 300),
    (24, 5, 1, 101),
    (25, 5, 5, 7),
    (26, 6, 2, 100),
    (27, 6, 1, 200),
];

/// Ports with port security.
const SECURED: [u32; 2] = [2, 26];

/// Ports with `unknown_tags = drop`.
pub const STRICT: [u32; 2] = [5, 27];

/// VID of network 4 on the wire: that of a subport as well.
const WIRE_VID: u16 = 101;

/// Starts both daemons, and waits until all ports forward.
pub fn start(hosts: &mut Hosts) -> Exchange {
    add_networks(hosts);
    for (name, host, network) in GUESTS {
        let guest = hosts.guest(name, host, network);
        // A guest without an address sends nothing but the frames of the test.
        hosts.guests[guest].netns.ip("address flush dev eth0");
    }
    for (key, parent, network, vid) in SUBPORTS {
        hosts.put_subport(parent, key, network, vid);
    }
    for key in SECURED {
        hosts.edit_port(key, |record| {
            record["port_security_enabled"] = true.into();
            // No group filters a port of the network itself.
            record["device_owner"] = "network:distributed".into();
            record["ips"] = json!(["10.1.0.1", "2001:db8::1"]);
        });
    }
    let ports: Vec<_> = ports().collect();
    for host in &mut hosts.all {
        host.argue(&["--uplink", "physnet1=eth1"]);
    }
    for port in ports.iter().filter(|port| STRICT.contains(&port.key)) {
        let host = usize::from(GUESTS[port.guest].1) - 1;
        hosts.all[host].argue(&["--port", &format!("{}:unknown_tags=drop", port.id())]);
    }
    hosts.start();
    for host in [1, 2] {
        wait_until_forwarding(hosts, host, &ports);
    }
    let stations = hosts.guests.iter().zip(GUESTS).map(|(guest, (name, host, _))| {
        let (sender, capture) = (Sender::new(&guest.netns, "eth0"), Capture::start(&guest.netns, "eth0"));
        Station::new(name, host, sender, capture)
    });
    Exchange::new(stations.collect(), ports)
}

/// The number of network 1 is that of network 3 too, whose type is another. Network 5 does not leave a host;
/// its ports have so many tags that no marker between hosts uses them.
fn add_networks(hosts: &Hosts) {
    hosts.network(1, &tunnel("vxlan", 37));
    hosts.network(2, &tunnel("geneve", 38));
    hosts.network(3, &tunnel("gre", 37));
    let vlan = json!({ "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": WIRE_VID });
    hosts.network(4, &vlan);
    hosts.network(5, &json!({ "network_type": "local" }));
}

fn ports() -> impl Iterator<Item = Port> {
    let guests = (1..).zip(GUESTS).map(|(key, (_, _, network))| (key, network));
    let subports = SUBPORTS.iter().map(|(key, _, network, _)| (*key, *network));
    guests.chain(subports).map(|(key, network)| {
        let (guest, vids) = place(key);
        Port { key, mac: mac_bytes(key), network: Network(network), guest, vids }
    })
}

/// The index of a port's guest, and the port's tags there.
fn place(key: u32) -> (usize, Vec<u16>) {
    match SUBPORTS.iter().find(|subport| subport.0 == key) {
        Some((_, parent, _, vid)) => {
            let (guest, vids) = place(*parent);
            (guest, [&vids[..], &[*vid]].concat())
        }
        None => (key as usize - 1, vec![]),
    }
}

fn mac_bytes(key: u32) -> [u8; 6] {
    let text = mac(key);
    let mut bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap());
    std::array::from_fn(|_| bytes.next().unwrap())
}

fn wait_until_forwarding(hosts: &Hosts, number: u8, ports: &[Port]) {
    let (daemon, other) = (hosts.host(number).daemon(), 3 - number);
    let is_here = |port: &&Port| GUESTS[port.guest].1 == number;
    let subports = ports.iter().filter(is_here).filter(|port| !port.vids.is_empty()).count();
    daemon.wait_until_up("ports", GUESTS.iter().filter(|guest| guest.1 == number).count());
    daemon.wait_until_up("subports", subports);
    until("the VLAN on the uplink", || {
        (daemon.show("uplinks")?[0]["vlans"] == json!([WIRE_VID])).then_some(())
    });
    until("the other host", || reaches(&hosts.host(number).netns, &endpoint(other)).then_some(()));
    until("a path to the other host", || {
        let peers = daemon.show("peers")?;
        let mut peers = peers.as_array()?.iter();
        let peer = peers.find(|peer| peer["peer"] == format!("host{other}"))?;
        (!peer["paths"].as_array()?.is_empty()).then_some(())
    });
    daemon.wait_until_converged();
}
