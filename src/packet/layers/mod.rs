//! The headers of a frame whose fields depend on the bytes behind them: from the outermost IP header to the innermost TCP,
//! UDP or SCTP header, through the encapsulations in between.
//!
//! | encapsulation | known by | specification |
//! |---|---|---|
//! | IPv4 or IPv6 in IP | protocol 4, 41 | RFC 2003, RFC 4213, RFC 2473 |
//! | GRE | protocol 47 | RFC 2784, RFC 2890 |
//! | MPLS, also in IP and UDP | EtherType, protocol 137, UDP port 6635 | RFC 3032, RFC 4023, RFC 7510 |
//! | Ethernet in IPv6 (SRv6) | protocol 143 | RFC 8986 |
//! | VXLAN | UDP port 4789, or 8472 (Linux) | RFC 7348 |
//! | VXLAN-GPE | UDP port 4790 | draft-ietf-nvo3-vxlan-gpe |
//! | Geneve | UDP port 6081 | RFC 8926 |

mod ip;
mod tunnel;
mod walk;

pub use tunnel::is_tunnel_port;

use arrayvec::ArrayVec;

use super::checksum::{fold, sum_be16};

/// The most IP headers that are looked through: as many tunnels within each other as Linux sends through
/// (`IP_TUNNEL_RECURSION_LIMIT`), and the packet inside.
const MAX_IP_HEADERS: usize = 5;

/// Each IP header is followed by at most one other that is kept.
const MAX_LAYERS: usize = 2 * MAX_IP_HEADERS;

/// A header and all that it is in front of: the bytes from `start` to `end` of a frame.
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

/// Which header it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ipv4,
    Ipv6,
    Tcp(PseudoHeader),
    Udp(PseudoHeader),
    Sctp,
    Gre { has_checksum: bool, has_sequence: bool },
}

/// The sum of a pseudo-header but its length: addresses and protocol (RFC 9293, 3.1; RFC 8200, 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PseudoHeader(u64);

impl PseudoHeader {
    /// `addresses` are those of the source and of the final destination, in any order and any number of pieces of an even
    /// length.
    #[inline]
    pub fn new(addresses: &[u8], protocol: u8) -> Self {
        Self(sum_be16(addresses) + u64::from(protocol))
    }

    /// The folded sum for a segment of `len` bytes. The upper half of a 32-bit length is 0: no frame is that long.
    #[inline]
    pub fn sum(self, len: usize) -> u16 {
        fold(self.0 + len as u64)
    }
}

/// The innermost header of a frame is behind its first buffer, or behind more IP headers than are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfReach;

/// The layers of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers(ArrayVec<Layer, MAX_LAYERS>);

impl Layers {
    /// Looks through the headers of a frame of `frame_len` bytes whose first buffer is `first`. What is malformed, a
    /// fragment, encrypted or unknown is the payload of the layer in front of it.
    ///
    /// # Errors
    /// There may be a layer that cannot be seen.
    pub fn of(first: &[u8], frame_len: usize) -> Result<Self, OutOfReach> {
        walk::layers(first, frame_len)
    }

    pub fn outermost_first(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        self.0.iter()
    }

    pub fn innermost_first(&self) -> impl Iterator<Item = &Layer> {
        self.0.iter().rev()
    }

    pub fn innermost(&self) -> Option<&Layer> {
        self.0.last()
    }
}
