//! Frames with a length instead of an `EtherType` (IEEE Std 802.3-2022, 3.2.6): LLC, and SNAP within it.

use super::bytes::be16;

/// The payload that an LLC header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Llc {
    /// SNAP with an `EtherType` (RFC 1042; IEEE Std 802-2014, 9.2.3); `payload` is its offset from the
    /// end of the length field.
    Snap { ethertype: u16, payload: usize },
    /// A protocol that is neither IP nor ARP.
    Other,
}

/// Whether the field after the addresses and tags is a length.
#[inline]
pub const fn is_length(field: u16) -> bool {
    field < 0x0600
}

/// Parses the header after the length. `None` when it is cut, and for IP and ARP in any other form than SNAP
/// in an unnumbered information PDU, the form that hosts send (RFC 1042).
pub fn parse(llc: &[u8]) -> Option<Llc> {
    /// Mask of the address of an access point. The lowest bit means group or individual for the destination,
    /// response or command for the source (IEEE Std 802.2-1998, 3.3.1).
    const ADDRESS: u8 = 0xfe;
    const SNAP: u8 = 0xaa;
    const IP: u8 = 0x06;
    const ARP: u8 = 0x98;
    /// All access points of the receiver, those of IP and ARP among them.
    const GLOBAL: u8 = 0xff;
    const SNAP_HEADER: [u8; 3] = [SNAP, SNAP, 0x03];
    /// Organizations after which an `EtherType` follows: RFC 1042, and IEEE Std 802.1H-1997 for bridges.
    const ENCAPSULATED_ETHERNET: [[u8; 3]; 2] = [[0, 0, 0], [0, 0, 0xf8]];
    let [destination, source]: [u8; 2] = *llc.first_chunk()?;
    let points = [destination & ADDRESS, source & ADDRESS];
    if destination == GLOBAL || points.contains(&IP) || points.contains(&ARP) {
        return None;
    }
    if !points.contains(&SNAP) {
        return Some(Llc::Other);
    }
    if !llc.starts_with(&SNAP_HEADER) {
        return None;
    }
    let organization = llc.get(3..6)?;
    if !ENCAPSULATED_ETHERNET.iter().any(|known| organization == known) {
        return Some(Llc::Other);
    }
    Some(Llc::Snap { ethertype: be16(llc, 6)?, payload: 8 })
}
