//! The addresses that a frame claims for its sender.
//!
//! A claim counts only if all of it can be parsed: a packet with a hidden part (after the first chunk of a
//! long frame, in fragments, after too many headers) has no [`Sender`].

mod arp;
mod discovery;
mod ipv4;
mod ipv6;
mod parse;

use std::net::IpAddr;

use arrayvec::ArrayVec;

use crate::types::MacAddr;

/// The addresses that a receiver attributes to the sender. The packet counts regardless of tags before it: a
/// receiver may ignore them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The source address of the frame.
    pub mac: MacAddr,
    /// The hardware address that ARP, IPv6 neighbour discovery or DHCP names for the sender.
    pub announced: Option<MacAddr>,
    /// IP addresses that the sender uses or claims, without the unspecified address where a host without an
    /// address may use it.
    pub ips: ArrayVec<IpAddr, 2>,
}

/// The part of a packet that is in the first chunk of its frame.
#[derive(Debug, Clone, Copy)]
struct Visible<'a> {
    bytes: &'a [u8],
    /// Bytes of the packet and its trailer in all chunks.
    len: usize,
}
