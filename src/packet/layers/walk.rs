//! The walk from one header to the next. Each step moves on by at least two bytes of the first buffer.

use arrayvec::ArrayVec;

use super::{Kind, Layer, Layers, MAX_IP_HEADERS, OutOfReach, ip, tunnel};
use crate::packet::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM, PROTOCOL_TCP, PROTOCOL_UDP,
};
use crate::packet::layers::PseudoHeader;
use crate::packet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q};

/// Bytes of the two addresses of an Ethernet frame.
const MAC_ADDRESSES_LEN: usize = 12;
const ETHERTYPE_TRANSPARENT_BRIDGING: u16 = 0x6558;

const PROTOCOL_IPV4: u8 = 4;
const PROTOCOL_IPV6: u8 = 41;
const PROTOCOL_GRE: u8 = 47;
const PROTOCOL_SCTP: u8 = 132;
const PROTOCOL_MPLS: u8 = 137;
const PROTOCOL_ETHERNET: u8 = 143;

/// What comes next at the walk's place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// An Ethernet frame.
    Frame,
    /// An EtherType and what it announces.
    EtherType,
    /// What this EtherType announces.
    Packet(u16),
    Mpls,
    /// What an IP header of this kind carries.
    Payload {
        protocol: u8,
        addresses: PseudoHeader,
    },
}

/// Why the walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The rest is payload.
    Payload,
    OutOfReach,
}

/// The place in a frame that the walk has come to.
pub(super) struct Walk<'a> {
    first: &'a [u8],
    /// The place, from the start of the frame.
    pub at: usize,
    /// Where the innermost packet so far ends, which may be behind `first`.
    pub end: usize,
    layers: ArrayVec<Layer, { super::MAX_LAYERS }>,
}

pub(super) fn layers(first: &[u8], frame_len: usize) -> Result<Layers, OutOfReach> {
    let mut walk = Walk { first, at: 0, end: frame_len, layers: ArrayVec::new() };
    let mut next = Ok(Next::Frame);
    loop {
        next = match next {
            Ok(next) => walk.step(next),
            Err(Stop::Payload) => return Ok(Layers(walk.layers)),
            Err(Stop::OutOfReach) => return Err(OutOfReach),
        }
    }
}

impl<'a> Walk<'a> {
    fn step(&mut self, next: Next) -> Result<Next, Stop> {
        match next {
            Next::Frame => Ok(self.skip(MAC_ADDRESSES_LEN, Next::EtherType)),
            Next::EtherType => {
                let [high, low] = *self.take()?;
                Ok(Next::Packet(u16::from_be_bytes([high, low])))
            }
            Next::Packet(ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD) => Ok(self.skip(2, Next::EtherType)),
            Next::Packet(ETHERTYPE_IPV4) => ip::ipv4(self),
            Next::Packet(ETHERTYPE_IPV6) => ip::ipv6(self),
            Next::Packet(ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM) => Ok(Next::Mpls),
            Next::Packet(ETHERTYPE_TRANSPARENT_BRIDGING) => Ok(Next::Frame),
            Next::Packet(_) => Err(Stop::Payload),
            Next::Mpls => tunnel::mpls(self),
            Next::Payload { protocol, addresses } => self.payload(protocol, addresses),
        }
    }

    fn payload(&mut self, protocol: u8, pseudo_header: PseudoHeader) -> Result<Next, Stop> {
        match protocol {
            PROTOCOL_TCP => {
                self.peek::<20>()?;
                self.push(Kind::Tcp(pseudo_header))?;
                Err(Stop::Payload)
            }
            PROTOCOL_UDP => {
                self.peek::<8>()?;
                self.push(Kind::Udp(pseudo_header))?;
                tunnel::udp(self)
            }
            PROTOCOL_SCTP => {
                self.peek::<12>()?;
                self.push(Kind::Sctp)?;
                Err(Stop::Payload)
            }
            PROTOCOL_GRE => tunnel::gre(self),
            PROTOCOL_IPV4 => Ok(Next::Packet(ETHERTYPE_IPV4)),
            PROTOCOL_IPV6 => Ok(Next::Packet(ETHERTYPE_IPV6)),
            PROTOCOL_MPLS => Ok(Next::Mpls),
            PROTOCOL_ETHERNET => Ok(Next::Frame),
            _ => Err(Stop::Payload),
        }
    }

    /// Keeps the header at the present place.
    pub fn push(&mut self, kind: Kind) -> Result<(), Stop> {
        let is_ip = |kind| matches!(kind, Kind::Ipv4 | Kind::Ipv6);
        if is_ip(kind) && self.layers.iter().filter(|layer| is_ip(layer.kind)).count() == MAX_IP_HEADERS {
            return Err(Stop::OutOfReach);
        }
        let layer = Layer { kind, start: self.at, end: self.end };
        self.layers.try_push(layer).map_err(|_| Stop::OutOfReach)
    }

    /// The `len` bytes from `offset` behind the present place on.
    pub fn bytes(&self, offset: usize, len: usize) -> Result<&'a [u8], Stop> {
        let start = self.at + offset;
        if start + len > self.end {
            return Err(Stop::Payload);
        }
        self.first.get(start..start + len).ok_or(Stop::OutOfReach)
    }

    /// The `N` bytes at the present place.
    pub fn peek<const N: usize>(&self) -> Result<&'a [u8; N], Stop> {
        self.bytes(0, N)?.first_chunk().ok_or(Stop::Payload)
    }

    /// The same, and moves behind them.
    pub fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Stop> {
        let bytes = self.peek()?;
        self.at += N;
        Ok(bytes)
    }

    /// Moves on by `len` bytes, to `next`.
    pub fn skip(&mut self, len: usize, next: Next) -> Next {
        self.at += len;
        next
    }
}
