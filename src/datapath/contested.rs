//! Step 3, for addresses that several ports may have: to the port that holds it now.

use super::{Destination, DropReason, Outlet, Source, Step, dispatch, end};
use crate::tables::{ContestedAddress, PortSlot, Tables};
use crate::xsk::Frame;

/// Sends the frame to the holder of the contested address at `place`.
#[cold]
pub(super) fn dispatch_to_holder(
    frame: Frame,
    source: &Source,
    place: PortSlot,
    tables: &Tables,
    outlet: &mut impl Outlet,
) {
    let address = tables.network(source.network).and_then(|network| network.contested_at(place));
    match address.and_then(ContestedAddress::holder) {
        None => end(frame, Some(source.port), DropReason::DestinationUnknown, tables, outlet),
        Some(port) if port == source.port => {
            end(frame, Some(port), DropReason::DestinationIsSource, tables, outlet);
        }
        Some(port) => {
            outlet.observe(Step::Destined(&Destination::Port(port)));
            dispatch(frame, source, port, tables, outlet);
        }
    }
}
