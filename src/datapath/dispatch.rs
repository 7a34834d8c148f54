//! Step 3: how does it get there? Destination port → link, and the tags that tell the port apart on it.

use super::{DropReason, Outlet, count_drop, end};
use crate::packet::{Header, LongTcp, dot1q};
use crate::tables::{Egress, PortSlot, Tables, TagMeaning, VlanTable};
use crate::types::{Pcp, Tci};
use crate::xsk::Frame;

/// Pushes the port's tags, each with the priority `pcp`, and sends the frame out of the port's link: the one it came
/// from as well as any other. A TCP packet too long for the link leaves in segments.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn dispatch(frame: Frame, pcp: Pcp, to: PortSlot, tables: &Tables, outlet: &mut impl Outlet) {
    let Some(egress) = tables.egress(to) else {
        return end(frame, None, DropReason::TransmitNoSocket, tables, outlet);
    };
    if egress.port.subports.as_deref().is_some_and(|table| !is_as_it_came(&frame, table)) {
        return end(frame, Some(to), DropReason::DispatchTagRefused, tables, outlet);
    }
    // Tagged, it may be shorter than it looks here; that is asked where it takes no time of the others.
    if frame.len() > egress.link.mtu + Header::LEN {
        return dispatch_long(frame, pcp, egress, tables, outlet);
    }
    leave(frame, pcp, egress, tables, outlet);
}

/// Whether the receiver would take the frame for what it is: a frame of the receiver's own network, with a tag that is
/// nobody's. With a tag that means a subport it would count as one from the subport's network.
fn is_as_it_came(frame: &Frame, table: &VlanTable) -> bool {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    tag.is_none_or(|tag| table.get(tag) == TagMeaning::Parent)
}

/// The last steps of a frame that is to leave as it is.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
fn leave(mut frame: Frame, pcp: Pcp, egress: Egress<'_>, tables: &Tables, outlet: &mut impl Outlet) {
    for vid in &egress.port.tags {
        if dot1q::push(&mut frame, Tci::new(*vid, pcp)).is_err() {
            return end(frame, Some(egress.slot), DropReason::DispatchNoHeadroom, tables, outlet);
        }
    }
    if frame.len() > egress.link.longest_frame {
        return end(frame, Some(egress.slot), DropReason::DispatchTooLong, tables, outlet);
    }
    outlet.transmit(egress, frame);
}

#[cold]
fn dispatch_long(frame: Frame, pcp: Pcp, egress: Egress<'_>, tables: &Tables, outlet: &mut impl Outlet) {
    let Some(tcp) = LongTcp::find(frame.bytes(), frame.len(), egress.link.mtu) else {
        return leave(frame, pcp, egress, tables, outlet);
    };
    for payload in tcp.payloads() {
        let Some(mut segment) = outlet.take() else {
            count_drop(Some(egress.slot), DropReason::DispatchNoFrame, tables, outlet);
            continue;
        };
        segment.clear();
        let whole = segment.extend(frame.slices(tcp.headers()), || outlet.take())
            && segment.extend(frame.slices(payload.clone()), || outlet.take());
        if !whole {
            end(segment, Some(egress.slot), DropReason::DispatchNoFrame, tables, outlet);
            continue;
        }
        let (first, rest) = segment.split_mut();
        tcp.finish(&payload, first, rest);
        leave(segment, pcp, egress, tables, outlet);
    }
    outlet.release(frame);
}
