//! A position in the first chunk of a frame, and the headers collected before it.

use arrayvec::ArrayVec;

use super::layer::{Kind, Layer, MAX_IP_HEADERS, MAX_LAYERS, PseudoHeader};

/// What follows at the position.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// An Ethernet frame, from its addresses on.
    Frame,
    /// An EtherType, and what it announces.
    EtherType,
    /// What this EtherType announces.
    Packet(u16),
    /// A stack of MPLS labels.
    Mpls,
    /// The payload of an IP header.
    Payload { protocol: u8, addresses: PseudoHeader },
}

/// Why the walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The rest is payload.
    Payload,
    /// The next header is not in the first chunk, or there are too many.
    OutOfReach,
}

pub(super) struct Cursor<'a> {
    first: &'a [u8],
    /// The position, in bytes from the start of the frame.
    pub at: usize,
    /// End of the innermost packet so far, which may be after `first`.
    pub end: usize,
    layers: ArrayVec<Layer, MAX_LAYERS>,
}

impl<'a> Cursor<'a> {
    pub const fn new(first: &'a [u8], frame_len: usize) -> Self {
        Self { first, at: 0, end: frame_len, layers: ArrayVec::new_const() }
    }

    pub fn into_layers(self) -> ArrayVec<Layer, MAX_LAYERS> {
        self.layers
    }

    /// Keeps the header at the position.
    pub fn push(&mut self, kind: Kind) -> Result<(), Stop> {
        let is_ip = |kind| matches!(kind, Kind::Ipv4 | Kind::Ipv6);
        if is_ip(kind) && self.layers.iter().filter(|layer| is_ip(layer.kind)).count() == MAX_IP_HEADERS {
            return Err(Stop::OutOfReach);
        }
        let layer = Layer { kind, start: self.at, end: self.end };
        self.layers.try_push(layer).map_err(|_| Stop::OutOfReach)
    }

    /// The `len` bytes that begin `offset` bytes after the position.
    pub fn bytes(&self, offset: usize, len: usize) -> Result<&'a [u8], Stop> {
        let start = self.at + offset;
        if start + len > self.end {
            return Err(Stop::Payload);
        }
        self.first.get(start..start + len).ok_or(Stop::OutOfReach)
    }

    /// The `N` bytes at the position.
    pub fn peek<const N: usize>(&self) -> Result<&'a [u8; N], Stop> {
        self.bytes(0, N)?.first_chunk().ok_or(Stop::Payload)
    }

    /// The `N` bytes at the position, which moves past them.
    pub fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Stop> {
        let bytes = self.peek()?;
        self.at += N;
        Ok(bytes)
    }

    /// Moves the position by `len` bytes, to `next`.
    pub fn skip(&mut self, len: usize, next: Next) -> Next {
        self.at += len;
        next
    }
}
