//! Step 3: how does it get there? Destination port → link, and the tags that tell the port apart on it.

use super::{DropReason, Outlet, end};
use crate::packet::dot1q;
use crate::tables::{PortSlot, Tables};
use crate::types::{Pcp, Tci};
use crate::xsk::Frame;

/// Pushes the port's tags, each with the priority `pcp`, and sends the frame out of the port's link: the one it came
/// from as well as any other.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn dispatch(mut frame: Frame, pcp: Pcp, to: PortSlot, tables: &Tables, outlet: &mut impl Outlet) {
    let Some(egress) = tables.egress(to) else {
        return end(frame, None, DropReason::TransmitNoSocket, tables, outlet);
    };
    for vid in &egress.port.tags {
        if dot1q::push(&mut frame, Tci::new(*vid, pcp)).is_err() {
            return end(frame, Some(to), DropReason::DispatchNoHeadroom, tables, outlet);
        }
    }
    outlet.transmit(egress, frame);
}
