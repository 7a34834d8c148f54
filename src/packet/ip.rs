//! The packet in a frame, and the numbers of `EtherTypes` and IP protocols.

use super::bytes::be16;
use super::ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q, TAG_LEN};

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_RARP: u16 = 0x8035;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// An Ethernet frame in GRE or Geneve.
pub const ETHERTYPE_TRANSPARENT_BRIDGING: u16 = 0x6558;
// Labels assigned by the receiver, and by the sender (RFC 5332, 3).
pub const ETHERTYPE_MPLS: u16 = 0x8847;
pub const ETHERTYPE_MPLS_UPSTREAM: u16 = 0x8848;
/// Bytes of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Bytes of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// Mask of the two bytes at offset 6 of an IPv4 header (RFC 791, 3.1): of every fragment but the last.
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// The same: a fragment's place, in units of 8 bytes.
pub const OFFSET: u16 = 0x1fff;
/// The same: not 0 in fragments only.
pub const MORE_FRAGMENTS_OR_OFFSET: u16 = MORE_FRAGMENTS | OFFSET;

/// The EtherType after all tags of a frame, and the offset of its packet. `None` when the frame is cut
/// before.
#[inline]
pub fn packet(frame: &[u8]) -> Option<(u16, usize)> {
    packet_behind(frame, |ethertype| matches!(ethertype, ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD))
}

/// The same, for the tags whose TPID `is_tag` accepts.
#[inline]
pub fn packet_behind(frame: &[u8], is_tag: impl Fn(u16) -> bool) -> Option<(u16, usize)> {
    let mut type_offset = 12;
    loop {
        let ethertype = be16(frame, type_offset)?;
        if !is_tag(ethertype) {
            return Some((ethertype, type_offset + 2));
        }
        type_offset += TAG_LEN;
    }
}

/// Offset of the payload of an IPv4 packet (RFC 791, 3.1). `None` for another version or a too small length.
#[inline]
pub fn ipv4_payload(packet: &[u8]) -> Option<usize> {
    let version_ihl = *packet.first()?;
    let start = usize::from(version_ihl & 0x0f) * 4;
    (version_ihl >> 4 == 4 && start >= IPV4_HEADER_LEN).then_some(start)
}
