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
    /// Sends, hands over and frees frames.
    pub outlet: &'a mut O,
}

/// Why the next step is not taken. `burst.rs` alone acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The packet is dropped, and counted on a port.
    Drop(Blame, DropReason),
}

/// The port on which a drop is counted: the sender or the receiver; none, if it is not in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame(PortSlot);

impl Blame {
    /// No port that is in the tables.
    pub(super) const NO_PORT: Self = Self(PortSlot::NONE);

    /// The port, if there is one.
    #[must_use]
    pub fn port(self) -> Option<PortSlot> {
        (self != Self::NO_PORT).then_some(self.0)
    }
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
        Self(port)
    }
}

impl From<Origin> for Blame {
    #[inline]
    fn from(origin: Origin) -> Self {
        Self(origin.slot())
    }
}

impl<O: Outlet> Context<'_, O> {
    /// Drops a frame and counts it.
    pub(super) fn drop_frame(&mut self, frame: Frame, blame: Blame, reason: DropReason) {
        if reason == DropReason::Classify(Classify::UnknownTag) {
            unknown_tag(&frame, blame.0, self);
        }
        self.count_drop(blame, reason);
        self.outlet.release(frame);
    }

    /// Counts a frame that was dropped, or a copy that was not made.
    pub(super) fn count_drop(&mut self, blame: Blame, reason: DropReason) {
        // Those of no port, if there is none.
        let counters = self.tables.counters(blame.0);
        if let Some(counters) = counters.of(self.outlet.worker()) {
            counters.dropped(reason);
        }
        self.outlet.observe(Event::Dropped(blame, reason));
    }
}
