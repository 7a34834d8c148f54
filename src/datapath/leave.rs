//! The list of steps of the to-port half, on the worker that owns the way out.

use super::from_port::copy;
use super::to_port::{Fit, admit, cut, fit, fit_whole, wrap};
use super::{Context, Halt, Outlet, Packet};
use crate::packet::datagram::Parsed;
use crate::tables::Exit;

/// Takes a packet that this worker keeps through the to-port half.
#[inline(always)]
pub(super) fn leave(packet: Packet, exit: Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    leave_parsed(packet, None, exit, cx);
}

/// The same, where the packet may have been parsed before.
#[inline(always)]
pub(super) fn leave_parsed(
    packet: Packet,
    parsed: Option<&Parsed>,
    exit: Exit<'_>,
    cx: &mut Context<'_, impl Outlet>,
) {
    match admit(&packet, &exit, parsed, cx).and_then(|()| fit(&packet, &exit)) {
        Ok(Fit::Whole) => finish(packet, exit, cx),
        Ok(Fit::Cut) => {
            if let Err((frame, halt)) = cut(packet, exit, cx, finish) {
                cx.stop(frame, halt);
            }
        }
        Err(halt) => cx.stop(packet.frame, halt),
    }
}

/// Takes a copy through the to-port half. It is made once nothing else stands against it.
#[inline(always)]
pub(super) fn leave_copy(packet: &Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    let fitting = admit(packet, exit, None, cx).and_then(|()| fit_whole(packet, exit));
    match fitting.and_then(|()| copy(packet, exit.slot, cx)) {
        Ok(copy) => finish(copy, *exit, cx),
        Err(Halt::Drop(blame, reason)) => cx.count_drop(blame, reason),
    }
}

#[inline(always)]
fn finish(mut packet: Packet, exit: Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match wrap(&mut packet, &exit, cx) {
        Ok(()) => cx.outlet.transmit(packet.frame, &exit),
        Err(halt) => cx.stop(packet.frame, halt),
    }
}
