//! The Ethernet header and the outermost tag (IEEE Std 802.3-2022, 3.1.1; IEEE Std 802.1Q-2022, 9.6).

use std::fmt;

use super::bytes::be16;
use crate::types::{MacAddr, Pcp, Tci};

/// TPID of a customer tag, the only one that selects a subport.
pub const ETHERTYPE_DOT1Q: u16 = 0x8100;
/// TPID of a service tag: carried, never matched.
pub const ETHERTYPE_DOT1AD: u16 = 0x88a8;

/// Bytes of a tag: TPID and TCI.
pub const TAG_LEN: usize = 4;

/// The fields of an Ethernet header that select a port. An inner tag is payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The address of the receiver, unicast or group.
    pub destination: MacAddr,
    /// The outermost tag, if the frame has one.
    pub tag: Option<Tag>,
}

/// The outermost tag of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Either [`ETHERTYPE_DOT1Q`] or [`ETHERTYPE_DOT1AD`].
    pub tpid: u16,
    /// The priority (PCP, DEI) and the VID.
    pub tci: Tci,
}

/// The part of a tag that selects a port: TPID and VID, without the priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagId {
    /// Either [`ETHERTYPE_DOT1Q`] or [`ETHERTYPE_DOT1AD`].
    pub tpid: u16,
    /// All 12 bits, 0 and 4095 included.
    pub vid: u16,
}

/// As `VLAN 101` or `802.1ad VLAN 101`.
impl fmt::Display for TagId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.tpid == ETHERTYPE_DOT1AD { "802.1ad " } else { "" };
        write!(f, "{kind}VLAN {}", self.vid)
    }
}

impl Tag {
    /// The part that selects a port.
    #[must_use]
    pub const fn id(self) -> TagId {
        TagId { tpid: self.tpid, vid: self.tci.vid() }
    }

    /// Whether it carries a priority and names no VLAN (IEEE Std 802.1Q-2022, 9.6).
    #[must_use]
    pub const fn is_priority_tag(self) -> bool {
        self.tpid == ETHERTYPE_DOT1Q && self.tci.vid() == 0
    }
}

/// The frame ends inside its own Ethernet header or outermost tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the frame ends inside its Ethernet header or tag")]
pub struct Truncated;

impl Header {
    /// Bytes of an untagged header: two addresses and the type.
    pub const LEN: usize = 14;
    /// Bytes of a tagged header: [`Self::LEN`] and one tag.
    pub const TAGGED_LEN: usize = Self::LEN + TAG_LEN;

    /// Reads the header at the start of `frame`.
    ///
    /// # Errors
    /// [`Truncated`] when the two addresses, the tag (TPID and TCI) or the EtherType after it are cut.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<Self, Truncated> {
        // One check of the length for the whole header, and one more for the tag.
        let header: &[u8; Self::LEN] = frame.first_chunk().ok_or(Truncated)?;
        let destination = MacAddr::new(*header.first_chunk().ok_or(Truncated)?);
        let tag = match be16(header, 12).ok_or(Truncated)? {
            tpid @ (ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD) => {
                let header: &[u8; Self::TAGGED_LEN] = frame.first_chunk().ok_or(Truncated)?;
                let tci = header.get(Self::LEN..).and_then(<[u8]>::first_chunk).ok_or(Truncated)?;
                Some(Tag { tpid, tci: Tci::from_be_bytes(*tci) })
            }
            _ => None,
        };
        Ok(Self { destination, tag })
    }

    /// The priority of the frame as received: that of its outermost tag, or 0 without a tag.
    #[inline]
    #[must_use]
    pub fn pcp(&self) -> Pcp {
        self.tag.map_or_else(Pcp::default, |tag| tag.tci.pcp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize, ethertype: u16, tci: u16) -> Vec<u8> {
        let mut bytes = vec![0x02; len.max(16)];
        bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
        bytes[14..16].copy_from_slice(&tci.to_be_bytes());
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn a_header_needs_all_of_its_bytes() {
        for len in 0..40 {
            assert_eq!(Header::parse(&frame(len, 0x0800, 0)).is_ok(), len >= 14, "untagged, {len} bytes");
            assert_eq!(Header::parse(&frame(len, 0x8100, 100)).is_ok(), len >= 18, "8100, {len} bytes");
            assert_eq!(Header::parse(&frame(len, 0x88a8, 100)).is_ok(), len >= 18, "88a8, {len} bytes");
        }
    }

    #[test]
    fn only_the_two_standard_tpids_are_tags() {
        for ethertype in 0..=u16::MAX {
            let header = Header::parse(&frame(64, ethertype, 0xa064)).unwrap();
            assert_eq!(header.tag.is_some(), matches!(ethertype, 0x8100 | 0x88a8), "{ethertype:#06x}");
            assert_eq!(header.pcp().priority(), if header.tag.is_some() { 5 } else { 0 });
        }
    }
}
