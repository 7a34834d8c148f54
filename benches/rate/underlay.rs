//! The underlay: this host, another one that does not exist, and packets of the tunnel between them.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::frames::checksum;
use crate::job::REMOTE;
use testkit::frame::Mac;
use testkit::records::{network, port, text};

/// Bytes of the longest outer packet: a guest's 1500 fill it.
pub const MTU: u32 = 1550;

/// Bytes that the tunnel adds to a frame: Ethernet, IPv4, UDP and Geneve headers.
pub const OUTER_LEN: u32 = 14 + 20 + 8 + 8;

/// Offset of the outer UDP source port.
pub const SOURCE_PORT_AT: usize = 34;
/// Outer UDP source port of all packets from the other host: they are one flow.
pub const SOURCE_PORT: u16 = 50_000;

/// `unique_key` of the port at the other host.
pub const REMOTE_KEY: u32 = 0xffff;

/// Number of the tunnel of network 2.
pub const VNI: u32 = 1002;

/// Assigned UDP port of Geneve (RFC 8926, section 3.3).
const GENEVE_PORT: u16 = 6081;

/// A tunnel endpoint.
#[derive(Debug)]
pub struct Endpoint {
    pub ip: Ipv4Addr,
    pub mac: Mac,
}

/// The host of the datapath under test.
pub const HERE: Endpoint = Endpoint { ip: Ipv4Addr::new(192, 0, 2, 1), mac: [0x02, 0xaa, 0, 0, 0, 1] };
/// The other host.
pub const THERE: Endpoint = Endpoint { ip: Ipv4Addr::new(192, 0, 2, 2), mac: [0x02, 0xaa, 0, 0, 0, 2] };

/// Records of the other host, and of its port on a network with a Geneve tunnel.
pub fn records(network_key: u32) -> [Value; 3] {
    const CHASSIS: &str = "other";
    let mut network = network(network_key);
    network["record"]["network_type"] = "geneve".into();
    network["record"]["segmentation_id"] = VNI.into();
    let mut remote = port(REMOTE_KEY, network_key, "remote", REMOTE, true);
    remote["record"]["binding"]["chassis"] = CHASSIS.into();
    let host = json!({ "id": CHASSIS, "ip": THERE.ip.to_string(), "tunnel_types": ["geneve"] });
    [network, json!({ "table": "chassis", "record": host }), remote]
}

/// `ip` commands that make `link` the endpoint of this host, with the other one as its neighbour.
pub fn endpoint(link: &str) -> [String; 3] {
    [
        format!("link set {link} address {} mtu {MTU} up", text(HERE.mac)),
        format!("address add {}/24 dev {link}", HERE.ip),
        format!("neighbour add {} lladdr {} nud permanent dev {link}", THERE.ip, text(THERE.mac)),
    ]
}

/// `frame` in a Geneve packet (RFC 8926) from the other host, without options and UDP checksum.
pub fn encapsulate(frame: &[u8]) -> Vec<u8> {
    const TRANSPARENT_ETHERNET: [u8; 2] = [0x65, 0x58];
    let geneve = [&[0, 0], &TRANSPARENT_ETHERNET[..], &(VNI << 8).to_be_bytes()].concat();
    let udp_len = u16::try_from(8 + geneve.len() + frame.len()).unwrap();
    let ports = [SOURCE_PORT, GENEVE_PORT, udp_len, 0].map(u16::to_be_bytes).concat();
    let mut ip = [&[0x45, 0][..], &(20 + udp_len).to_be_bytes()].concat();
    // No fragment, TTL 64, UDP, checksum filled in below.
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend([THERE.ip.octets(), HERE.ip.octets()].concat());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [&HERE.mac[..], &THERE.mac, &[0x08, 0x00], &ip, &ports, &geneve, frame].concat()
}
