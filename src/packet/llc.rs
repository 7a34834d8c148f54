//! Frames with a length in the place of the `EtherType` (IEEE Std 802.3-2022, 3.2.6): LLC, and SNAP within it.

use super::be16;

/// What an LLC header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Llc {
    /// SNAP with an `EtherType` (RFC 1042; IEEE Std 802-2014, 9.2.3); the payload begins this many bytes behind the
    /// length.
    Snap { ethertype: u16, payload: usize },
    /// A protocol that is neither IP nor ARP.
    Other,
}

/// Whether the field behind the addresses and tags is a length.
#[inline]
pub const fn is_length(field: u16) -> bool {
    field < 0x0600
}

/// Reads the header behind the length. `None` when it is cut, and for IP and ARP in LLC without SNAP or behind a tag in
/// SNAP, which no host sends.
pub fn parse(llc: &[u8]) -> Option<Llc> {
    const SNAP: [u8; 2] = [0xaa, 0xaa];
    /// The access points of IP and ARP (IEEE, "LLC addresses").
    const IP: u8 = 0x06;
    const ARP: u8 = 0x98;
    /// The `EtherType` follows (RFC 1042), also behind a bridge (IEEE Std 802.1H-1997).
    const ENCAPSULATED_ETHERNET: [[u8; 3]; 2] = [[0, 0, 0], [0, 0, 0xf8]];
    let access_points: [u8; 2] = *llc.first_chunk()?;
    if access_points != SNAP {
        return (!access_points.iter().any(|point| [IP, ARP].contains(point))).then_some(Llc::Other);
    }
    let organization = llc.get(3..6)?;
    if !ENCAPSULATED_ETHERNET.iter().any(|known| organization == known) {
        return Some(Llc::Other);
    }
    let ethertype = be16(llc, 6)?;
    let is_tag = [super::ETHERTYPE_DOT1Q, super::ETHERTYPE_DOT1AD].contains(&ethertype);
    (!is_tag).then_some(Llc::Snap { ethertype, payload: 8 })
}
