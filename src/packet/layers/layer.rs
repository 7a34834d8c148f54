//! One header of a frame, and its pseudo-header.

use crate::packet::internet_sum::{fold, sum_be16};

/// Most IP headers that are parsed: as many tunnels within each other as Linux sends through
/// (`IP_TUNNEL_RECURSION_LIMIT`), and the packet inside.
pub(super) const MAX_IP_HEADERS: usize = 5;

/// Each IP header is followed by at most one other header that is kept.
pub(super) const MAX_LAYERS: usize = 2 * MAX_IP_HEADERS;

/// A header with everything after it that belongs to it: the bytes from `start` to `end` of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Layer {
    pub const fn len(&self) -> usize {
        self.end - self.start
    }
}

/// The protocol of a header, with what its checksum and its segments depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ipv4,
    Ipv6,
    Tcp(PseudoHeader),
    Udp(PseudoHeader),
    Sctp,
    Gre { has_checksum: bool, has_sequence: bool },
}

/// The sum of a pseudo-header without its length: addresses and protocol (RFC 9293, 3.1; RFC 8200, 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PseudoHeader(u64);

impl PseudoHeader {
    /// `addresses` are those of the source and of the final destination, in any order.
    #[inline]
    pub fn new(addresses: &[u8], protocol: u8) -> Self {
        Self(sum_be16(addresses) + u64::from(protocol))
    }

    /// The folded sum for a segment of `len` bytes. The upper half of a 32-bit length is 0: no frame is that
    /// long.
    #[inline]
    pub fn sum(self, len: usize) -> u16 {
        fold(self.0 + len as u64)
    }
}
