//! The walk from one header to the next. Each step moves by at least two bytes of the first chunk.

use arrayvec::ArrayVec;

use super::cursor::{Cursor, Next, Stop};
use super::layer::{Kind, Layer, MAX_LAYERS, PseudoHeader};
use super::{ip, tunnel};
use crate::packet::ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q};
use crate::packet::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM, ETHERTYPE_TRANSPARENT_BRIDGING,
};
use crate::types::protocol;

/// Bytes of the two addresses of an Ethernet frame.
const MAC_ADDRESSES_LEN: usize = 12;

const PROTOCOL_IPV4: u8 = 4;
const PROTOCOL_IPV6: u8 = 41;
const PROTOCOL_MPLS: u8 = 137;
const PROTOCOL_ETHERNET: u8 = 143;

/// The layers of a frame, outermost first; `None` when the innermost is out of reach.
pub(super) fn layers(first: &[u8], frame_len: usize) -> Option<ArrayVec<Layer, MAX_LAYERS>> {
    let mut cursor = Cursor::new(first, frame_len);
    let mut next = Ok(Next::Frame);
    loop {
        next = match next {
            Ok(next) => step(&mut cursor, next),
            Err(Stop::Payload) => return Some(cursor.into_layers()),
            Err(Stop::OutOfReach) => return None,
        }
    }
}

fn step(cursor: &mut Cursor<'_>, next: Next) -> Result<Next, Stop> {
    match next {
        Next::Frame => Ok(cursor.skip(MAC_ADDRESSES_LEN, Next::EtherType)),
        Next::EtherType => {
            let [high, low] = *cursor.take()?;
            Ok(Next::Packet(u16::from_be_bytes([high, low])))
        }
        Next::Packet(ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD) => Ok(cursor.skip(2, Next::EtherType)),
        Next::Packet(ETHERTYPE_IPV4) => ip::ipv4(cursor),
        Next::Packet(ETHERTYPE_IPV6) => ip::ipv6(cursor),
        Next::Packet(ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM) => Ok(Next::Mpls),
        Next::Packet(ETHERTYPE_TRANSPARENT_BRIDGING) => Ok(Next::Frame),
        Next::Packet(_) => Err(Stop::Payload),
        Next::Mpls => tunnel::mpls(cursor),
        Next::Payload { protocol, addresses } => payload(cursor, protocol, addresses),
    }
}

fn payload(cursor: &mut Cursor<'_>, protocol: u8, pseudo_header: PseudoHeader) -> Result<Next, Stop> {
    match protocol {
        protocol::TCP => {
            cursor.peek::<20>()?;
            cursor.push(Kind::Tcp(pseudo_header))?;
            Err(Stop::Payload)
        }
        protocol::UDP => {
            cursor.peek::<8>()?;
            cursor.push(Kind::Udp(pseudo_header))?;
            tunnel::udp(cursor)
        }
        protocol::SCTP => {
            cursor.peek::<12>()?;
            cursor.push(Kind::Sctp)?;
            Err(Stop::Payload)
        }
        protocol::GRE => tunnel::gre(cursor),
        PROTOCOL_IPV4 => Ok(Next::Packet(ETHERTYPE_IPV4)),
        PROTOCOL_IPV6 => Ok(Next::Packet(ETHERTYPE_IPV6)),
        PROTOCOL_MPLS => Ok(Next::Mpls),
        PROTOCOL_ETHERNET => Ok(Next::Frame),
        _ => Err(Stop::Payload),
    }
}
