//! Copies of packets.

use crate::datapath::{Blame, Context, Halt, Outlet, Packet};
use crate::types::drop_reason::Flood;

/// Copies a packet, in as many chunks as it has, on account of `blame`.
///
/// # Errors
/// There are too few chunks.
#[inline]
pub(in crate::datapath) fn copy(
    packet: &Packet,
    blame: impl Into<Blame>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<Packet, Halt> {
    let no_chunk = Halt::drop(blame, Flood::NoChunk);
    let mut frame = cx.outlet.allocate().ok_or(no_chunk)?;
    let is_whole = frame.copy_from(&packet.frame, || cx.outlet.allocate());
    if is_whole { Ok(Packet { frame, facts: packet.facts }) } else { Err(no_chunk) }
}
