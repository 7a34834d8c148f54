//! Step 5: completes a checksum that the sender left partial. Before a flood, so that it is done once for all
//! copies.

use crate::datapath::{Context, Event, Halt, Outlet, Packet};
use crate::packet::checksum::{self, Completion};
use crate::types::Wants;
use crate::types::drop_reason::Checksum;

/// Completes the packet's partial checksums.
///
/// # Errors
/// The reason to drop it: its receiver's stack would drop it too, and would not name the cause.
#[inline]
pub(in crate::datapath) fn checksum(
    packet: &mut Packet,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    if packet.facts.wants.contains(Wants::CHECKSUM) {
        let (first, rest) = packet.frame.split_mut();
        match checksum::complete(first, rest) {
            Completion::NotPartial => {}
            Completion::Completed => cx.outlet.observe(Event::ChecksumCompleted),
            Completion::OutOfReach => return Err(Halt::drop(packet.facts.origin, Checksum::OutOfReach)),
        }
    }
    Ok(())
}
