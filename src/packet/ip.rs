//! The packet in a frame: behind its tags, and behind its extension headers.

use super::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q, be16, dot1q::TAG_LEN};

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_RARP: u16 = 0x8035;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
pub const PROTOCOL_TCP: u8 = 6;
pub const PROTOCOL_UDP: u8 = 17;
pub const PROTOCOL_ICMPV6: u8 = 58;
/// Bytes of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;

/// The EtherType behind all of a frame's tags, and where its packet begins. `None` when it is cut before.
#[inline]
pub fn packet(frame: &[u8]) -> Option<(u16, usize)> {
    let mut type_offset = 12;
    loop {
        match be16(frame, type_offset)? {
            ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD => type_offset += TAG_LEN,
            ethertype => return Some((ethertype, type_offset + 2)),
        }
    }
}

/// Where what an IPv4 packet carries begins (RFC 791, 3.1). `None` for what is no IPv4 packet.
#[inline]
pub fn ipv4_payload(packet: &[u8]) -> Option<usize> {
    let version_ihl = *packet.first()?;
    let start = usize::from(version_ihl & 0x0f) * 4;
    (version_ihl >> 4 == 4 && start >= 20).then_some(start)
}

/// What an IPv6 packet carries behind its extension headers, and where that begins (RFC 8200, 4). `None` for what is no
/// IPv6 packet or is cut before.
#[inline]
pub fn ipv6_payload(packet: &[u8]) -> Option<(u8, usize)> {
    if packet.first()? >> 4 != 6 {
        return None;
    }
    let mut next_header = *packet.get(6)?;
    let mut start = IPV6_HEADER_LEN;
    while let HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS = next_header {
        next_header = *packet.get(start)?;
        start += 8 * (1 + usize::from(*packet.get(start + 1)?));
    }
    Some((next_header, start))
}
