//! The addresses that a frame claims for its sender.
//!
//! A claim counts only if all of it was read: a packet that hides a part (behind the first buffer of a long frame, in
//! fragments, behind headers without end) has no [`Sender`].

mod arp;
mod discovery;
mod ipv4;
mod ipv6;

use std::net::IpAddr;

use arrayvec::ArrayVec;

use super::ip::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP, packet_behind};
use super::llc::{self, Llc};
use super::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q};
use crate::types::MacAddr;

/// The addresses that a receiver would take for the sender's. Tags in front of the packet hide nothing: a receiver may
/// well look behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The frame's source address.
    pub mac: MacAddr,
    /// The hardware address that ARP, IPv6 neighbour discovery or DHCP names for the sender.
    pub announced: Option<MacAddr>,
    /// IP addresses that it uses, or claims. Not the unspecified address where a host without an address may use it.
    pub ips: ArrayVec<IpAddr, 2>,
}

/// A packet in a frame, as far as it lies in the frame's first buffer.
#[derive(Debug, Clone, Copy)]
struct Visible<'a> {
    bytes: &'a [u8],
    /// Bytes of the packet and what follows it, visible or not.
    len: usize,
}

/// Whether some receiver looks for a packet behind a tag with this TPID: those of IEEE Std 802.1Q-2022 (9.5), and those
/// that vendors had for stacked tags before.
const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_DOT1Q | ETHERTYPE_DOT1AD | 0x9100 | 0x9200 | 0x9300)
}

impl Sender {
    /// Reads a frame of `frame_len` bytes whose first buffer is `first`. `None` when it cannot be told who an IP or ARP
    /// packet is from.
    #[must_use]
    pub fn of(first: &[u8], frame_len: usize) -> Option<Self> {
        let mac = MacAddr::new(*first.get(6..)?.first_chunk()?);
        let sender = Self { mac, announced: None, ips: ArrayVec::new() };
        let (mut ethertype, mut start) = packet_behind(first, is_tag)?;
        if llc::is_length(ethertype) {
            match llc::parse(first.get(start..)?)? {
                // No host sends these, and what they carry would have to be looked for.
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
