//! The list of steps, in the order in which frames take them, and the only place that acts on a [`Halt`].
#![allow(clippy::inline_always, reason = "as a call a step gets the packet by way of memory")]

use arrayvec::ArrayVec;

use super::from_port::{antispoof, checksum, classify, copy, flood, locate, may_flood};
use super::hand_over::hand_over;
use super::to_port::{Fit, admit, cut, fit, wrap};
use super::{Blame, Burst, Context, Entry, Halt, HandedOver, Outlet, Packet, Target};
use crate::tables::{Exit, PortSlot, WorkerId};
use crate::types::drop_reason::Transmit;
use crate::xsk::{BURST_FRAMES, Frame};

/// Takes a burst, which came in by `entry`, through the from-port half, in the order of its frames.
///
/// Each step is taken for the whole burst before the next one. A step waits for memory: for the port's entry and its
/// counters, for the network's table; when frame follows upon frame the CPU has many of these waits going at once.
#[inline]
pub fn forward(burst: &mut Burst, entry: Entry, cx: &mut Context<'_, impl Outlet>) {
    let mut classified = ArrayVec::<_, BURST_FRAMES>::new();
    for mut frame in burst.drain(..) {
        let facts = classify(&mut frame, entry, cx);
        match facts.and_then(|facts| antispoof(&frame, &facts, cx).map(|()| facts)) {
            Ok(facts) => classified.push(Packet { frame, facts }),
            Err(halt) => stop(halt, frame, cx),
        }
    }
    let mut located = ArrayVec::<_, BURST_FRAMES>::new();
    for packet in classified {
        match locate(&packet, cx) {
            Ok(target) => located.push((packet, target)),
            Err(halt) => stop(halt, packet.frame, cx),
        }
    }
    for (mut packet, target) in located {
        match (checksum(&mut packet, cx), target) {
            (Ok(()), Target::Port(to)) => send(packet, to, cx.outlet.worker(), cx),
            (Ok(()), Target::Flood) => match may_flood(&packet, cx) {
                Ok(()) => flood(packet, cx.outlet.worker(), cx, leave_copy, leave),
                Err(halt) => stop(halt, packet.frame, cx),
            },
            (Err(halt), _) => stop(halt, packet.frame, cx),
        }
    }
}

/// Takes a packet that another worker handed over through the to-port half.
pub fn receive(handed: HandedOver, cx: &mut Context<'_, impl Outlet>) {
    let from = handed.from();
    match handed.open(cx.tables) {
        Ok((packet, Target::Port(to))) => send(packet, to, from, cx),
        Ok((packet, Target::Flood)) => flood(packet, from, cx, leave_copy, leave),
        Err((frame, halt)) => stop(halt, frame, cx),
    }
}

/// Sends a packet that worker `from` received to a port: through the to-port half, if this worker owns the port's link.
#[inline(always)]
pub fn send(packet: Packet, to: PortSlot, from: WorkerId, cx: &mut Context<'_, impl Outlet>) {
    match cx.tables.exit(to, packet.facts.queue, from) {
        Some(exit) if cx.outlet.is_own(exit.worker) => leave(packet, &exit, cx),
        Some(exit) => hand_over(packet, &exit, cx).unwrap_or_else(|(frame, halt)| stop(halt, frame, cx)),
        None => stop(Halt::drop(Blame::NoPort, Transmit::NoSocket), packet.frame, cx),
    }
}

/// The to-port half.
#[inline(always)]
fn leave(packet: Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match admit(&packet, exit).and_then(|()| fit(&packet, exit)) {
        Ok(Fit::Whole) => finish(packet, exit, cx),
        Ok(Fit::Segments) => match cut(&packet, exit, cx, finish) {
            Ok(()) => cx.outlet.release(packet.frame),
            Err(halt) => stop(halt, packet.frame, cx),
        },
        Err(halt) => stop(halt, packet.frame, cx),
    }
}

/// The to-port half for a copy, made once nothing else stands against it. Nothing that goes to a group is cut.
fn leave_copy(packet: &Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match admit(packet, exit).and_then(|()| fit(packet, exit)).and_then(|_| copy(packet, exit.slot, cx)) {
        Ok(copy) => finish(copy, exit, cx),
        Err(Halt::Drop(blame, reason)) => cx.count_drop(blame, reason),
    }
}

#[inline(always)]
fn finish(mut packet: Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match wrap(&mut packet, exit) {
        Ok(()) => cx.outlet.transmit(packet.frame, exit),
        Err(halt) => stop(halt, packet.frame, cx),
    }
}

#[cold]
fn stop(Halt::Drop(blame, reason): Halt, frame: Frame, cx: &mut Context<'_, impl Outlet>) {
    cx.drop_frame(frame, blame, reason);
}
