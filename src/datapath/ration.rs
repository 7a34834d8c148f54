//! The ration of a guest, and of a network's senders on other hosts: the frames that they may cause beyond
//! those that they send.

use super::{Context, Facts, Outlet};
use crate::tables::LINK_OWNER;
use crate::types::Wants;

/// Whether the sender of a frame may cause `frames` more now. All ports of a link belong to one guest; all
/// senders that are not here, of one network, share a ration.
#[allow(clippy::inline_always, reason = "the other caller is a cold one")]
#[inline(always)]
pub(super) fn may_cause(frames: usize, facts: &Facts, cx: &mut Context<'_, impl Outlet>) -> bool {
    let Some(rate) = cx.tables.flood_rate else { return true };
    let now_ns = cx.outlet.now_ns();
    if facts.wants.contains(Wants::OUTSIDE) {
        let Some(network) = cx.tables.network(facts.network) else { return false };
        return cx.state.outside_meters.take(
            (facts.network.number(), network.key.get()),
            frames,
            rate,
            now_ns,
        );
    }
    let Some(port) = facts.origin.port() else { return false };
    let guest = cx.tables.link(port.link).and_then(|link| link.port(LINK_OWNER));
    let place = usize::from(port.link.0);
    guest.is_some_and(|guest| cx.state.meters.take((place, guest.identity.number()), frames, rate, now_ns))
}
