//! Tunnel packets of other hosts, made and read without the code under test (RFC 7348, RFC 8926, RFC 2890).

use std::net::{IpAddr, Ipv4Addr};

use crate::outside::{HERE_IP, NEXT_HOP_MAC, UPLINK_MAC};

/// A tunnel packet over IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelPacket {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// `vxlan`, `geneve` or `gre`.
    pub kind: &'static str,
    pub key: u32,
    pub inner: Vec<u8>,
}

impl TunnelPacket {
    /// A packet from `source` to the host under test.
    pub fn from(source: IpAddr, kind: &'static str, key: u32, inner: &[u8]) -> Self {
        Self { source, destination: HERE_IP, kind, key, inner: inner.to_vec() }
    }

    /// The frame on the underlay, as another host sends it.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.header())
    }

    /// The same with another tunnel header.
    pub fn encode_with(&self, header: &[u8]) -> Vec<u8> {
        let mut payload = header.to_vec();
        payload.extend(&self.inner);
        let port: u16 = match self.kind {
            "vxlan" => 4789,
            "geneve" => 6081,
            _ => 0,
        };
        let protocol = if port == 0 { 47 } else { 17 };
        if port != 0 {
            let len = payload.len() as u16 + 8;
            let udp = [50_000_u16.to_be_bytes(), port.to_be_bytes(), len.to_be_bytes(), [0, 0]].concat();
            payload.splice(0..0, udp);
        }
        let mut frame = [&UPLINK_MAC[..], &NEXT_HOP_MAC, &[8, 0]].concat();
        frame.extend(ipv4(protocol, &payload, self.source, self.destination));
        frame.extend(payload);
        frame
    }

    /// The tunnel header with the key.
    pub fn header(&self) -> [u8; 8] {
        let [a, b, c, d] = self.key.to_be_bytes();
        match self.kind {
            "vxlan" => [8, 0, 0, 0, b, c, d, 0],
            "geneve" => [0, 0, 0x65, 0x58, b, c, d, 0],
            _ => [0x20, 0, 0x65, 0x58, a, b, c, d],
        }
    }

    /// Reads a frame that the host under test sent, and checks lengths, checksums and constants.
    pub fn decode(frame: &[u8]) -> Self {
        assert_eq!(frame[..14], [&NEXT_HOP_MAC[..], &UPLINK_MAC, &[8, 0]].concat());
        let packet = &frame[14..];
        assert_eq!((packet[0], packet[8]), (0x45, 64), "version, header length and TTL");
        assert_eq!(usize::from(be16(packet, 2)), packet.len(), "the length of the IPv4 packet");
        assert_eq!(sum(&packet[..20]), 0xffff, "the checksum of the IPv4 header");
        let address =
            |at: usize| IpAddr::V4(Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]));
        let payload = &packet[20..];
        let (kind, header, inner) = match packet[9] {
            47 => ("gre", &payload[..8], &payload[8..]),
            17 => {
                assert!(be16(payload, 0) >= 49_152, "a dynamic source port");
                assert_eq!(usize::from(be16(payload, 4)), payload.len(), "the length of the UDP datagram");
                assert_eq!(be16(payload, 6), 0, "no UDP checksum");
                let kind = match be16(payload, 2) {
                    4789 => "vxlan",
                    6081 => "geneve",
                    other => panic!("port {other}"),
                };
                (kind, &payload[8..16], &payload[16..])
            }
            other => panic!("protocol {other}"),
        };
        let word = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let key = if kind == "gre" { word } else { word >> 8 };
        let packet = Self { source: address(12), destination: address(16), kind, key, inner: inner.to_vec() };
        assert_eq!(packet.header(), *header, "the tunnel header");
        packet
    }
}

fn ipv4(protocol: u8, payload: &[u8], source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else { panic!("IPv4") };
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0];
    header.extend(source.octets());
    header.extend(destination.octets());
    let checksum = !sum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
