//! What a step works with beside the packet.

use super::from_port::unknown_tag;
use super::{Blame, Event, Halt, Outlet, State};
use crate::tables::Tables;
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

impl<O: Outlet> Context<'_, O> {
    /// Ends the route of a frame before its last step.
    #[cold]
    pub(super) fn stop(&mut self, frame: Frame, Halt::Drop(blame, reason): Halt) {
        self.drop_frame(frame, blame, reason);
    }

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
