//! From a frame to its sender.

use arrayvec::ArrayVec;

use super::{Sender, Visible};
use crate::packet::ip::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP};
use crate::packet::payload::Payload;
use crate::types::MacAddr;

impl Sender {
    /// Parses a frame of `frame_len` bytes whose first chunk is `first`. `None` when the sender of an IP or
    /// ARP packet cannot be determined.
    #[must_use]
    pub fn of(first: &[u8], frame_len: usize) -> Option<Self> {
        let mac = MacAddr::new(*first.get(6..)?.first_chunk()?);
        let sender = Self { mac, announced: None, ips: ArrayVec::new() };
        let Payload::Packet { ethertype, start } = Payload::of(first)? else { return Some(sender) };
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
