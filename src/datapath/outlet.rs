//! What the datapath needs from the worker that runs it.

use super::{Blame, Facts, Ground, HandedOver, Target};
use crate::packet::TagId;
use crate::tables::{Exit, PortSlot, WorkerId};
use crate::types::{Direction, DropReason, MacAddr};
use crate::xsk::Frame;

/// The way out of the datapath. A worker's outlet leads to TX rings and other workers; a test's to lists.
pub trait Outlet {
    /// The worker that counts.
    fn worker(&self) -> WorkerId;

    /// Whether `worker` is this one. A trace is all of them.
    #[inline]
    fn is_own(&self, worker: WorkerId) -> bool {
        worker == self.worker()
    }

    /// A free frame for a copy or a segment; `None` when the packet memory is used up.
    fn allocate(&mut self) -> Option<Frame>;

    /// Nanoseconds of a monotonic clock.
    fn now_ns(&mut self) -> u64;

    /// Sends a frame that is ready for the wire, and counts it as sent or dropped.
    fn transmit(&mut self, frame: Frame, exit: &Exit<'_>);

    /// Leaves a packet for another worker.
    ///
    /// # Errors
    /// The packet, when the queue to that worker is full.
    fn hand_over(&mut self, worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver>;

    /// Frees the chunks of a frame that goes nowhere.
    fn release(&mut self, frame: Frame);

    /// Receives an [`Event`] of the route. Workers ignore them, at no cost; a trace records them.
    #[inline]
    fn observe(&mut self, _event: Event<'_>) {}
}

/// What a step did to a frame, for a trace.
#[derive(Debug)]
pub enum Event<'a> {
    /// The frame's port is known, its tag stripped if it selected a subport.
    Classified(&'a Facts),
    /// No segmentation of this port has the frame's tag.
    UnknownTag(PortSlot, TagId),
    /// The frame is from, or announces, a MAC address that this port may not send from.
    RefusedMac(PortSlot, MacAddr),
    /// The security groups of this port allow the frame's packet.
    Allowed(PortSlot, Direction, Ground<'a>),
    /// A partial checksum was completed.
    ChecksumCompleted,
    /// The receivers are known.
    Located(&'a Facts, Target),
    /// The frame, or a copy of it, was dropped.
    Dropped(Blame, DropReason),
}
