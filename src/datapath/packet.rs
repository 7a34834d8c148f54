//! A frame on its route, with what the steps have found out about it.

use arrayvec::ArrayVec;

use crate::tables::{LinkSlot, NetworkSlot, PortSlot};
use crate::types::{Pcp, QueueId, Wants};
use crate::xsk::{BURST_FRAMES, Frame};

/// Frames of one link that are taken through the steps together.
pub type Burst = ArrayVec<Frame, BURST_FRAMES>;

/// A frame with its [`Facts`]. It moves through the steps, and through queues between workers.
#[derive(Debug)]
pub struct Packet {
    /// The token for the frame's chunks.
    pub frame: Frame,
    /// The results of `classify`.
    pub facts: Facts,
}

/// What is known of a frame once it is classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Where it came from.
    pub origin: Origin,
    /// The network on which it is forwarded.
    pub network: NetworkSlot,
    /// The queue by which it came in.
    pub queue: QueueId,
    /// The priority with which it came in, for tags pushed later.
    pub pcp: Pcp,
    /// The steps that it needs.
    pub wants: Wants,
}

// Each frame of a burst has them in the cache.
const _: () = assert!(size_of::<Facts>() == 16 && size_of::<Packet>() == 32);

/// The sender of a frame: a subport if the frame's tag selected one, else the link's own port; the host that
/// sent a tunnel packet, or the wire of a provider network; or no port, once the sender has left the tables
/// while the frame waited for another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(PortSlot);

impl Origin {
    /// A sender that has left the tables.
    pub(super) const DEPARTED: Self = Self(PortSlot::NONE);

    #[inline]
    pub(super) const fn new(port: PortSlot) -> Self {
        Self(port)
    }

    /// The port's place, or [`PortSlot::NONE`].
    #[inline]
    pub(super) const fn slot(self) -> PortSlot {
        self.0
    }

    /// Whether it is another host: the frame came out of a tunnel.
    #[inline]
    #[must_use]
    pub fn is_peer(self) -> bool {
        self.0.peer().is_some()
    }

    /// The port, while it is in the tables; or the place of the host that the frame came from.
    #[inline]
    #[must_use]
    pub fn port(self) -> Option<PortSlot> {
        (self != Self::DEPARTED).then_some(self.0)
    }

    /// Whether `port` is the sender.
    #[inline]
    #[must_use]
    pub fn is(self, port: PortSlot) -> bool {
        self.0 == port
    }
}

/// The socket that a frame came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The link's place in the tables.
    pub link: LinkSlot,
    /// The link's queue. The frames of one flow come in by the same, and leave by the same queue of each
    /// link.
    pub queue: QueueId,
}

/// The receivers of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One port, or the [host](PortSlot::peer) that has it, or the port that holds a
    /// [contested address](PortSlot::is_contested).
    Port(PortSlot),
    /// Each port of the network but the sender.
    Flood,
}

impl Target {
    /// The place of a single receiver.
    #[inline]
    #[must_use]
    pub const fn port(self) -> Option<PortSlot> {
        match self {
            Self::Port(slot) => Some(slot),
            Self::Flood => None,
        }
    }
}
