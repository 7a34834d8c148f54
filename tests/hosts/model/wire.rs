//! The underlay of the two hosts: captures of what each host sends, and a machine that is no host.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use testkit::exchange::{Exchange, FramesByStation, Port, assert_same};
use testkit::frame::{Frame, MARKER, ethertype};
use testkit::netns::{Netns, veth};
use testkit::tunnels::TunnelPacket;
use testkit::wire::{Capture, Sender};

use crate::hosts::testbed::Hosts;

/// Name of the machine as a sender of the model.
pub const MACHINE: &str = "machine";

const MACHINE_MAC: [u8; 6] = [2, 0, 0, 0, 5, 5];

/// Address of a chassis without a switch, from which the machine sends its markers.
const CHASSIS_IP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);

/// Offsets in a frame: fields of the IPv4 header, the UDP source port, the frames in UDP tunnels and GRE.
const IDENTIFICATION: usize = 18;
const PROTOCOL: usize = 23;
const CHECKSUM: usize = 24;
const SOURCE_PORT: usize = 34;
const IN_UDP: usize = 50;
const IN_GRE: usize = 42;

/// Fields are dropped in this order: captures end before their namespace is deleted.
#[derive(Debug)]
pub struct Wire {
    /// What comes from host 1 and from host 2.
    captures: [Capture; 2],
    /// The sender of the machine.
    pub sender: Sender,
    _machine: Netns,
}

impl Wire {
    /// Adds the machine, and starts the captures. The bridge of the underlay becomes a hub: addresses and
    /// groups in the guests' frames would else decide where it forwards.
    pub fn of(hosts: &Hosts) -> Self {
        let chassis = json!({ "id": "host3", "ip": CHASSIS_IP, "tunnel_types": ["vxlan", "geneve", "gre"] });
        hosts.put("chassis", &chassis);
        let machine = Netns::new(MACHINE);
        veth((&hosts.wire, "br1-m"), (&machine, "eth0", "02:00:00:00:05:05"), 1);
        hosts.wire.ip("link set br1-m mtu 1600 master br1");
        machine.ip("link set eth0 mtu 1600");
        hosts.wire.ip("link set br1 type bridge mcast_snooping 0");
        hosts.wire.enter(leave_packets_to_the_hosts);
        for link in ["eth1-h1", "eth1-h2", "br1-m"] {
            hosts.wire.ip(&format!("link set {link} type bridge_slave learning off"));
        }
        let captures = ["eth1-h1", "eth1-h2"].map(|link| Capture::start(&hosts.wire, link));
        Self { captures, sender: Sender::new(&machine, "eth0"), _machine: machine }
    }

    /// Sends a marker from the machine to a guest of each host. When it has arrived, the frames of the
    /// machine before it have passed the uplink.
    pub fn mark(&self, exchange: &mut Exchange) {
        for host in [1, 2] {
            let on_host = |port: &&Port| exchange.stations[port.guest].host == host;
            let port = exchange.ports.iter().find(|port| port.network.0 == 1 && on_host(port));
            let port = port.expect("a port on the network with VXLAN").clone();
            exchange.mark_by(MACHINE_MAC, &port, |marker| self.send_to(host, &marker));
        }
    }

    fn send_to(&self, host: u8, marker: &Frame) {
        let destination = IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
        let packet = TunnelPacket::from(IpAddr::V4(CHASSIS_IP), "vxlan", 37, &marker.bytes());
        let mut packet = TunnelPacket { destination, ..packet }.encode();
        packet[..6].copy_from_slice(&[2, 0xaa, 0, 0, 1, host]);
        packet[6..12].copy_from_slice(&MACHINE_MAC);
        self.sender.send(&packet);
    }

    /// Asserts that each host has sent exactly what `wanted` lists for it.
    pub fn assert_left(&self, exchange: &mut Exchange, wanted: &mut FramesByStation) {
        for (host, capture) in (1..).zip(&self.captures) {
            let guests: Vec<_> = exchange.stations.iter().map(|station| station.host).collect();
            let marked = exchange.mark(|from, (_, to_host)| guests[from.guest] == host && to_host != host);
            let (_, payload) = marked.expect("a network with ports on both hosts");
            let frames = capture.through(|frame| frame.ends_with(&payload));
            let name = format!("host{host}");
            let wanted = wanted.remove(&name).unwrap_or_default();
            assert_same(&name, frames.into_iter().filter_map(comparable).collect(), wanted);
        }
    }

    pub fn stop(self) {
        self.captures.into_iter().for_each(Capture::stop);
    }
}

/// Lets no packet filter of this namespace, where the kernel has one for bridges, drop malformed packets.
fn leave_packets_to_the_hosts() {
    let setting = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if std::fs::exists(setting).unwrap() {
        std::fs::write(setting, "0").unwrap();
    }
}

/// A frame of a provider network, or a tunnel packet with zeros in the fields that its sender chooses. `None`
/// for the host's own frames and for those around a marker.
fn comparable(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let inner = match (ethertype(&frame), frame.get(PROTOCOL)) {
        _ if frame[12..14] == [0x81, 0] => 0,
        (0x0800, Some(17)) if is_tunnel_port([frame[36], frame[37]]) => IN_UDP,
        (0x0800, Some(47)) => IN_GRE,
        _ => return None,
    };
    if ethertype(&frame[inner..]) == MARKER {
        return None;
    }
    if inner > 0 {
        let words = frame[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        assert_eq!(words.sum::<u32>() % 0xffff, 0, "the checksum of the IPv4 header");
        frame[IDENTIFICATION..IDENTIFICATION + 2].fill(0);
        frame[CHECKSUM..CHECKSUM + 2].fill(0);
    }
    if inner == IN_UDP {
        assert!(frame[SOURCE_PORT] >= 0xc0, "a dynamic source port");
        frame[SOURCE_PORT..SOURCE_PORT + 2].fill(0);
    }
    Some(frame)
}

fn is_tunnel_port(port: [u8; 2]) -> bool {
    matches!(u16::from_be_bytes(port), 4789 | 6081)
}
