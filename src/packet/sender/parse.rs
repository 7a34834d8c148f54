//! From a frame to its sender: the tags and the EtherType, up to the packet.

use arrayvec::ArrayVec;

use super::{Sender, Visible};
use crate::packet::ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q};
use crate::packet::ip::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP, packet_behind};
use crate::packet::llc::{self, Llc};
use crate::types::MacAddr;

/// Whether some receiver skips a tag with this TPID: those of IEEE Std 802.1Q-2022 (9.5), and those that
/// vendors used for stacked tags before.
const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD | 0x9100 | 0x9200 | 0x9300)
}

impl Sender {
    /// Parses a frame of `frame_len` bytes whose first chunk is `first`. `None` when the sender of an IP or
    /// ARP packet cannot be determined.
    #[must_use]
    pub fn of(first: &[u8], frame_len: usize) -> Option<Self> {
        let mac = MacAddr::new(*first.get(6..)?.first_chunk()?);
        let sender = Self { mac, announced: None, ips: ArrayVec::new() };
        let (mut ethertype, mut start) = packet_behind(first, is_tag)?;
        if llc::is_length(ethertype) {
            match llc::parse(first.get(start..)?)? {
                // No host sends these, so their payload is not parsed.
                Llc::Snap { ethertype, .. } if is_tag(ethertype) || llc::is_length(ethertype) => return None,
                Llc::Snap { ethertype: inner, payload } => (ethertype, start) = (inner, start + payload),
                Llc::Other => return Some(sender),
            }
        }
        let packet = Visible { bytes: first.get(start..)?, len: frame_len.saturating_sub(start) };
        match ethertype {
            ETHERTYPE_ARP => sender.of_arp(packet.bytes),
            ETHERTYPE_RARP => sender.of_reverse_arp(packet.bytes),
            ETHERTYPE_IPV4 => sender.of_ipv4(packet.bytes),
            ETHERTYPE_IPV6 => sender.of_ipv6(packet),
            _ => Some(sender),
        }
    }
}
