//! Copies of packets.

use crate::datapath::{Context, Outlet, Packet};

/// Copies a packet, in as many chunks as it has; `None` when there are too few.
pub(in crate::datapath) fn copy(packet: &Packet, cx: &mut Context<'_, impl Outlet>) -> Option<Packet> {
    let mut frame = cx.outlet.allocate()?;
    let is_whole = frame.copy_from(&packet.frame, || cx.outlet.allocate());
    is_whole.then_some(Packet { frame, facts: packet.facts })
}
