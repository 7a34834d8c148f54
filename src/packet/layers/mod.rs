//! The headers of a frame whose fields depend on the bytes after them: from the outermost IP header to the
//! innermost TCP, UDP or SCTP header, through the encapsulations in between.
//!
//! | encapsulation | identified by | specification |
//! |---|---|---|
//! | IPv4 or IPv6 in IP | protocol 4, 41 | RFC 2003, RFC 4213, RFC 2473 |
//! | GRE | protocol 47 | RFC 2784, RFC 2890 |
//! | MPLS, also in IP and UDP | EtherType, protocol 137, UDP port 6635 | RFC 3032, RFC 4023, RFC 7510 |
//! | Ethernet in IPv6 (SRv6) | protocol 143 | RFC 8986 |
//! | VXLAN | UDP port 4789, or 8472 (Linux) | RFC 7348 |
//! | VXLAN-GPE | UDP port 4790 | draft-ietf-nvo3-vxlan-gpe |
//! | Geneve | UDP port 6081 | RFC 8926 |

mod cursor;
mod ip;
mod layer;
mod tunnel;
mod walk;

use arrayvec::ArrayVec;

use layer::MAX_LAYERS;

pub use layer::{Kind, Layer, PseudoHeader};
pub use tunnel::is_tunnel_port;

/// The innermost header of a frame is after its first chunk, or after more IP headers than are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfReach;

/// The layers of a frame, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers(ArrayVec<Layer, MAX_LAYERS>);

impl Layers {
    /// Parses the headers of a frame of `frame_len` bytes whose first chunk is `first`. Malformed,
    /// fragmented, encrypted and unknown data is the payload of the layer before it.
    ///
    /// # Errors
    /// [`OutOfReach`]: there may be a layer outside of `first`.
    pub fn of(first: &[u8], frame_len: usize) -> Result<Self, OutOfReach> {
        walk::layers(first, frame_len).map(Self).ok_or(OutOfReach)
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
