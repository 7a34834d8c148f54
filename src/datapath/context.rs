//! What a step works with, and how it ends a packet's route.

use super::from_port::unknown_tag;
use super::{Event, Origin, Outlet, State};
use crate::tables::{PortSlot, Tables};
use crate::types::DropReason;
use crate::types::drop_reason::Classify;
use crate::xsk::Frame;

/// What every step gets beside the packet.
#[derive(Debug)]
pub struct Context<'a, O> {
    /// The newest tables of the burst.
    pub tables: &'a Tables,
    /// The worker's own state.
    pub state: &'a mut State,
    /// The way out.
    pub outlet: &'a mut O,
}

/// Why the next step is not taken. `burst.rs` alone acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The packet is dropped, and counted on a port.
    Drop(Blame, DropReason),
}

/// The port on which a drop is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The sender or the receiver.
    Port(PortSlot),
    /// No port that is in the tables.
    NoPort,
}

impl Halt {
    /// Drops the packet on account of `blame`.
    #[inline]
    pub(super) fn drop(blame: impl Into<Blame>, reason: impl Into<DropReason>) -> Self {
        Self::Drop(blame.into(), reason.into())
    }
}

impl From<PortSlot> for Blame {
    #[inline]
    fn from(port: PortSlot) -> Self {
        Self::Port(port)
    }
}

impl From<Origin> for Blame {
    #[inline]
    fn from(origin: Origin) -> Self {
        origin.port().map_or(Self::NoPort, Self::Port)
    }
}

impl<O: Outlet> Context<'_, O> {
    /// Drops a frame and counts it.
    pub(super) fn drop_frame(&mut self, frame: Frame, blame: Blame, reason: DropReason) {
        if let (Blame::Port(port), DropReason::Classify(Classify::UnknownTag)) = (blame, reason) {
            unknown_tag(&frame, port, self);
        }
        self.count_drop(blame, reason);
        self.outlet.release(frame);
    }

    /// Counts a frame that was dropped, or a copy that was not made.
    pub(super) fn count_drop(&mut self, blame: Blame, reason: DropReason) {
        let counters = match blame {
            Blame::Port(port) => self.tables.counters(port),
            Blame::NoPort => &self.tables.no_port,
        };
        if let Some(counters) = counters.of(self.outlet.worker()) {
            counters.dropped(reason);
        }
        self.outlet.observe(Event::Dropped(blame, reason));
    }
}
