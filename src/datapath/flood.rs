//! Step 2, for group addresses: a copy of the untouched frame for each receiver.

use super::ration::may_cause;
use super::{DropReason, Outlet, Source, count_drop, dispatch, end};
use crate::tables::{PortSlot, Tables};
use crate::xsk::Frame;

/// Sends a copy of the untouched frame to each port but the sender; the last one gets the frame itself. The whole flood
/// is rationed before the first copy is made: a copy costs as much as it has chunks.
pub(super) fn flood(
    frame: Frame,
    source: &Source,
    ports: &[PortSlot],
    tables: &Tables,
    outlet: &mut impl Outlet,
) {
    let mut receivers = ports.iter().copied().filter(|port| *port != source.port);
    let Some(mut receiver) = receivers.next() else {
        return end(frame, Some(source.port), DropReason::DestinationNobody, tables, outlet);
    };
    let chunks = frame.chunk_count();
    if !may_cause((ports.len() - 1) * chunks, source, tables, outlet) {
        return end(frame, Some(source.port), DropReason::FloodRate, tables, outlet);
    }
    for next in receivers {
        // Copying a long frame for a link that does not take it would be the most expensive way to drop it.
        if chunks > 1 && is_too_long(&frame, receiver, tables) {
            count_drop(Some(receiver), DropReason::DispatchTooLong, tables, outlet);
        } else {
            match copy(&frame, outlet) {
                Some(copy) => dispatch(copy, source, receiver, tables, outlet),
                None => count_drop(Some(receiver), DropReason::DispatchNoFrame, tables, outlet),
            }
        }
        receiver = next;
    }
    dispatch(frame, source, receiver, tables, outlet);
}

#[cold]
fn is_too_long(frame: &Frame, to: PortSlot, tables: &Tables) -> bool {
    tables.egress(to).is_some_and(|egress| frame.len() > egress.link.longest_frame)
}

fn copy(frame: &Frame, outlet: &mut impl Outlet) -> Option<Frame> {
    let mut copy = outlet.take()?;
    copy.copy_from(frame, || outlet.take()).then_some(copy)
}
