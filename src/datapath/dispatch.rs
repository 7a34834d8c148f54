//! Step 3: how does it get there? Destination port → link, and the tags that tell the port apart on it.

use super::{DropReason, Outlet, end};
use crate::packet::{Header, dot1q};
use crate::tables::{PortSlot, Tables, TagMeaning, VlanTable};
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
    if egress.port.subports.as_deref().is_some_and(|table| !is_as_it_came(&frame, table)) {
        return end(frame, Some(to), DropReason::DispatchTagRefused, tables, outlet);
    }
    for vid in &egress.port.tags {
        if dot1q::push(&mut frame, Tci::new(*vid, pcp)).is_err() {
            return end(frame, Some(to), DropReason::DispatchNoHeadroom, tables, outlet);
        }
    }
    if frame.bytes().len() > egress.link.longest_frame {
        return end(frame, Some(to), DropReason::DispatchTooLong, tables, outlet);
    }
    outlet.transmit(egress, frame);
}

/// Whether the receiver would take the frame for what it is: a frame of the receiver's own network, with a tag that is
/// nobody's. With a tag that means a subport it would count as one from the subport's network.
fn is_as_it_came(frame: &Frame, table: &VlanTable) -> bool {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    tag.is_none_or(|tag| table.get(tag) == TagMeaning::Parent)
}
