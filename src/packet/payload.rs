//! From a frame to its packet: behind all tags, and behind an LLC header.

use super::ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q};
use super::ip::packet_behind;
use super::llc::{self, Llc};

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A packet that this `EtherType` announces, from the byte `start` of the frame on.
    Packet { ethertype: u16, start: usize },
    /// A protocol of LLC, which is neither IP nor ARP.
    Llc,
}

/// Whether some receiver skips a tag with this TPID: those of IEEE Std 802.1Q-2022 (9.5), and those that
/// vendors used for stacked tags before.
const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD | 0x9100 | 0x9200 | 0x9300)
}

impl Payload {
    /// Finds the payload of a frame. `None` when its headers are cut, and for payloads that some receivers
    /// read as IP or ARP, and others do not.
    #[inline]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let (ethertype, start) = packet_behind(frame, is_tag)?;
        if llc::is_length(ethertype) { of_llc(frame, start) } else { Some(Self::Packet { ethertype, start }) }
    }
}

fn of_llc(frame: &[u8], start: usize) -> Option<Payload> {
    match llc::parse(frame.get(start..)?)? {
        // No host sends these, so their payload is not parsed.
        Llc::Snap { ethertype, .. } if is_tag(ethertype) || llc::is_length(ethertype) => None,
        Llc::Snap { ethertype, payload } => Some(Payload::Packet { ethertype, start: start + payload }),
        Llc::Other => Some(Payload::Llc),
    }
}
