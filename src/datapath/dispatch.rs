//! Step 3: how does it get there? Destination port → link, and the tags that tell the port apart on it.

use super::ration::may_cause;
use super::{DropReason, Outlet, Source, count_drop, end};
use crate::packet::{Header, LongTcp, dot1q};
use crate::tables::{Egress, PortSlot, Tables, TagMeaning, VlanTable};
use crate::types::{Pcp, Tci};
use crate::xsk::Frame;

/// The most frames that a frame is cut into: enough for 64 KiB of TCP and the smallest MTU that every host supports, 576
/// bytes (RFC 791, 3.1). Up to twice as many as its bytes would fill, segments are what the receiver's MTU takes; those
/// beyond that are headers repeated, and count against the guest's ration.
const MAX_SEGMENTS: usize = 128;

/// Pushes the port's tags, each with the priority that the frame came with, and sends the frame out of the port's link:
/// the one it came from as well as any other. A TCP packet too long for the link leaves in segments.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn dispatch(frame: Frame, source: &Source, to: PortSlot, tables: &Tables, outlet: &mut impl Outlet) {
    let Some(egress) = tables.egress(to) else {
        return end(frame, None, DropReason::TransmitNoSocket, tables, outlet);
    };
    if egress.port.subports.as_deref().is_some_and(|table| !is_as_it_came(&frame, table)) {
        return end(frame, Some(to), DropReason::DispatchTagRefused, tables, outlet);
    }
    // Tagged, it may be shorter than it looks here; that is asked where it takes no time of the others.
    if frame.len() > egress.link.mtu + Header::LEN {
        return dispatch_long(frame, source, egress, tables, outlet);
    }
    leave(frame, source, egress, tables, outlet);
}

/// Whether the receiver would take the frame for what it is: a frame of the receiver's own network, with a tag that is
/// nobody's. With a tag that means a subport it would count as one from the subport's network.
pub(super) fn is_as_it_came(frame: &Frame, table: &VlanTable) -> bool {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    tag.is_none_or(|tag| table.get(tag) == TagMeaning::Parent)
}

/// The last steps of a frame that is to leave as it is.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
fn leave(mut frame: Frame, source: &Source, egress: Egress<'_>, tables: &Tables, outlet: &mut impl Outlet) {
    match tag(&mut frame, source.pcp, egress) {
        Ok(()) => outlet.transmit(frame, source, egress, tables),
        Err(reason) => end(frame, Some(egress.slot), reason, tables, outlet),
    }
}

/// Pushes the port's tags.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub(super) fn tag(frame: &mut Frame, pcp: Pcp, egress: Egress<'_>) -> Result<(), DropReason> {
    for vid in &egress.port.tags {
        dot1q::push(frame, Tci::new(*vid, pcp)).map_err(|_| DropReason::DispatchNoHeadroom)?;
    }
    if frame.len() > egress.link.longest_frame {
        return Err(DropReason::DispatchTooLong);
    }
    Ok(())
}

#[cold]
fn dispatch_long(
    frame: Frame,
    source: &Source,
    egress: Egress<'_>,
    tables: &Tables,
    outlet: &mut impl Outlet,
) {
    let Some(tcp) = LongTcp::find(frame.bytes(), frame.len(), egress.link.mtu) else {
        return leave(frame, source, egress, tables, outlet);
    };
    let segments = tcp.payloads().len();
    if segments > MAX_SEGMENTS {
        return end(frame, Some(source.port), DropReason::DispatchTooManySegments, tables, outlet);
    }
    let surplus = segments.saturating_sub(2 * frame.len().div_ceil(egress.link.mtu));
    if surplus > 0 && !may_cause(surplus, source, tables, outlet) {
        return end(frame, Some(source.port), DropReason::FloodRate, tables, outlet);
    }
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
        tcp.finish(&payload, first, &rest);
        leave(segment, source, egress, tables, outlet);
    }
    outlet.release(frame);
}
