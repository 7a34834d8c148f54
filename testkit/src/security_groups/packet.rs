//! IP packets of hosts with small numbers, made byte by byte.

use crate::frames::{frame, ones_complement_sum};
use crate::scenario::Mac;

/// A packet from one host to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub v6: bool,
    pub from: u8,
    pub to: u8,
    pub body: Body,
    /// Identification, offset in units of 8 bytes, and whether more follow.
    pub fragment: Option<(u16, u16, bool)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Ports and flags.
    Tcp(u16, u16, u8),
    /// Protocol (UDP, UDP-Lite, SCTP, DCCP) and ports.
    Ports(u8, u16, u16),
    /// A message of ICMP, or of `ICMPv6`: type, code, identifier.
    Message(u8, u8, u16),
    /// An ICMP error, with type and code, about a packet that is quoted up to 8 bytes behind its IP header.
    Error(u8, u8, Box<Packet>),
    /// Another protocol.
    Other(u8),
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;

impl Packet {
    pub fn new(from: u8, to: u8, body: Body) -> Self {
        Self { v6: false, from, to, body, fragment: None }
    }

    pub fn v6(self) -> Self {
        Self { v6: true, ..self }
    }

    pub fn fragment(self, identification: u16, offset: u16, more: bool) -> Self {
        Self { fragment: Some((identification, offset, more)), ..self }
    }

    /// The packet in the other direction.
    pub fn reply(&self) -> Self {
        let body = match self.body.clone() {
            Body::Tcp(source, destination, flags) => Body::Tcp(destination, source, flags),
            Body::Ports(protocol, source, destination) => Body::Ports(protocol, destination, source),
            body @ (Body::Message(..) | Body::Error(..) | Body::Other(_)) => body,
        };
        Self { from: self.to, to: self.from, body, ..self.clone() }
    }

    pub fn protocol(&self) -> u8 {
        match self.body {
            Body::Tcp(..) => 6,
            Body::Ports(protocol, ..) | Body::Other(protocol) => protocol,
            Body::Message(..) | Body::Error(..) => {
                if self.v6 {
                    58
                } else {
                    1
                }
            }
        }
    }

    fn address(&self, host: u8) -> Vec<u8> {
        if self.v6 { [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[host]].concat() } else { vec![10, 0, 0, host] }
    }

    fn segment(&self, mac: Mac) -> Vec<u8> {
        let ports =
            |source: u16, destination: u16| [source.to_be_bytes(), destination.to_be_bytes()].concat();
        let mut bytes = match &self.body {
            Body::Tcp(source, destination, flags) => {
                let rest = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, *flags, 1, 0, 0, 0, 0, 0];
                [&ports(*source, *destination)[..], &rest].concat()
            }
            // A DHCP client's message has its MAC address.
            Body::Ports(17, source, 67) => {
                let mut message = vec![0; 240];
                message[..4].copy_from_slice(&[1, 1, 6, 0]);
                message[28..34].copy_from_slice(&mac);
                [&ports(*source, 67)[..], &[0, 248, 0, 0], &message].concat()
            }
            // With a checksum, which UDP-Lite requires (RFC 3828, 3.1).
            Body::Ports(_, source, destination) => {
                [&ports(*source, *destination)[..], &[0, 16, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8]].concat()
            }
            // Neighbour discovery: as long as its fields, and about the sender.
            Body::Message(kind @ 133..=137, code, _) if self.v6 => {
                let own = self.address(self.from);
                let fields = match kind {
                    133 => vec![],
                    134 => vec![0; 8],
                    135 | 136 => own,
                    _ => [&own[..], &own].concat(),
                };
                return [&[*kind, *code, 0, 0, 0, 0, 0, 0][..], &fields].concat();
            }
            Body::Message(kind, code, id) => {
                [&[*kind, *code, 0, 0][..], &id.to_be_bytes(), &[0; 10]].concat()
            }
            Body::Error(kind, code, about) => {
                let quoted = about.packet(mac);
                let header =
                    if about.v6 { 40 } else { 20 } + if about.v6 && about.fragment.is_some() { 8 } else { 0 };
                [&[*kind, *code, 0, 0, 0, 0, 0, 0][..], &quoted[..header + 8]].concat()
            }
            Body::Other(_) => b"some protocol!!!".to_vec(),
        };
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// The IP packet.
    fn packet(&self, mac: Mac) -> Vec<u8> {
        let (offset, more) = self.fragment.map_or((0, false), |(_, offset, more)| (offset, more));
        let payload = if offset > 0 { vec![7; 16] } else { self.segment(mac) };
        let (source, destination) = (self.address(self.from), self.address(self.to));
        if self.v6 {
            let extension = self.fragment.map(|(id, ..)| {
                let field = offset << 3 | u16::from(more);
                [&[self.protocol(), 0][..], &field.to_be_bytes(), &[0, 0], &id.to_be_bytes()].concat()
            });
            let next = if extension.is_some() { 44 } else { self.protocol() };
            let extension = extension.unwrap_or_default();
            let len = ((payload.len() + extension.len()) as u16).to_be_bytes();
            return [&[0x60, 0, 0, 0][..], &len, &[next, 64], &source, &destination, &extension, &payload]
                .concat();
        }
        let id = self.fragment.map_or(0, |(id, ..)| id).to_be_bytes();
        let field = (offset | if more { 0x2000 } else { 0 }).to_be_bytes();
        let len = (20 + payload.len() as u16).to_be_bytes();
        let mut header =
            [&[0x45, 0][..], &len, &id, &field, &[64, self.protocol(), 0, 0], &source, &destination].concat();
        let sum = (!ones_complement_sum(&header)).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        [header, payload].concat()
    }

    /// The frame, with tags (TPID, TCI) from the outermost on.
    pub fn frame(&self, destination: Mac, source: Mac, tags: &[(u16, u16)]) -> Vec<u8> {
        let ethertype: [u8; 2] = if self.v6 { [0x86, 0xdd] } else { [8, 0] };
        frame(destination, source, tags, &[&ethertype[..], &self.packet(source)].concat())
    }
}
