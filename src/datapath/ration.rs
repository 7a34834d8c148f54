//! The ration of a guest: the frames that it may cause beyond those that it sends.

use super::{Context, Origin, Outlet};
use crate::tables::LINK_OWNER;

/// Whether the guest that a frame is from may cause `frames` more now. All ports of a link belong to one
/// guest.
#[allow(clippy::inline_always, reason = "the other caller is a cold one")]
#[inline(always)]
pub(super) fn may_cause(frames: usize, origin: Origin, cx: &mut Context<'_, impl Outlet>) -> bool {
    let Some(rate) = cx.tables.flood_rate else { return true };
    let Some(port) = origin.port() else { return false };
    let guest = cx.tables.link(port.link).and_then(|link| link.port(LINK_OWNER));
    let now_ns = cx.outlet.now_ns();
    guest.is_some_and(|guest| cx.state.meters.take((port.link, guest.key), frames, rate, now_ns))
}
