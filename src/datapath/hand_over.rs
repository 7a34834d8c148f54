//! Between the halves: the way of a packet to the worker that owns the link it leaves by.

use super::from_port::holder;
use super::{Context, Halt, HandedOver, Outlet, Packet, Target, exit_to};
use crate::tables::{Exit, PortSlot, WorkerId};
use crate::types::drop_reason::Transmit;
use crate::xsk::Frame;

/// Brings a packet, which worker `from` received, to the worker that owns the way out: this one, which gets it
/// back with its exit, or another.
///
/// # Errors
/// The frame, and why it is dropped.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub(super) fn hand_over<'t, O: Outlet>(
    packet: Packet,
    to: PortSlot,
    from: WorkerId,
    cx: &mut Context<'t, O>,
) -> Result<Option<(Packet, Exit<'t>)>, (Frame, Halt)> {
    let to = if to.is_contested() { holder(&packet, to, cx) } else { Ok(to) };
    match to.and_then(|to| exit_to(&packet, to, from, cx)) {
        Ok(exit) if cx.outlet.is_own(exit.worker) => Ok(Some((packet, exit))),
        Ok(exit) => {
            let waiting = HandedOver::new(packet, Target::Port(exit.slot), cx.outlet.worker(), cx.tables);
            let refused = cx.outlet.hand_over(exit.worker, waiting);
            let full = Halt::drop(exit.slot, Transmit::HandoverFull);
            refused.map(|()| None).map_err(|refused| (refused.into_packet().frame, full))
        }
        Err(halt) => Err((packet.frame, halt)),
    }
}
