//! The ration of a guest: the frames that it may cause beyond those that it sends.

use super::{Outlet, Source};
use crate::tables::{LINK_OWNER, PortSlot, Tables};

/// Whether the guest that a frame is from may cause `frames` more now. All ports of a link are one guest's.
#[allow(clippy::inline_always, reason = "the other caller is a cold one")]
#[inline(always)]
pub(super) fn may_cause(frames: usize, source: &Source, tables: &Tables, outlet: &mut impl Outlet) -> bool {
    let guest = PortSlot { number: LINK_OWNER, ..source.port };
    let counters = tables.counters(guest).of(outlet.worker());
    counters.is_none_or(|counters| counters.flood_allowance.take(frames, tables.flood_rate, || outlet.now()))
}
