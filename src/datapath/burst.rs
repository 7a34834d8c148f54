//! The list of steps, in the order in which frames take them, and the only place that acts on a [`Halt`].

use arrayvec::ArrayVec;

use super::from_port::{antispoof, checksum, classify, copy, flood, locate, may_flood};
use super::to_port::{Fit, admit, cut, fit, wrap};
use super::{Blame, Context, Entry, Halt, HandedOver, Outlet, Packet, Target};
use crate::tables::{Exit, PortSlot};
use crate::types::drop_reason::{Flood, Transmit};
use crate::xsk::{BURST_FRAMES, Frame};

/// Takes the frames of a burst, which came in by `entry`, through the from-port half in their order.
///
/// Each step is taken for the whole burst before the next one. A step waits for memory: for the port's entry and its
/// counters, for the network's table; when frame follows upon frame the CPU has many of these waits going at once.
#[inline]
pub fn forward<F>(frames: F, entry: Entry, cx: &mut Context<'_, impl Outlet>)
where
    F: IntoIterator<Item = Frame, IntoIter: ExactSizeIterator>,
{
    let mut frames = frames.into_iter();
    while frames.len() > 0 {
        let mut classified = ArrayVec::<_, BURST_FRAMES>::new();
        for mut frame in frames.by_ref().take(BURST_FRAMES) {
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
            let steps = checksum(&mut packet, cx);
            match (steps, target) {
                (Ok(()), Target::Port(port)) => send(packet, port, cx),
                (Ok(()), Target::Flood) => match may_flood(&packet, cx) {
                    Ok(()) => {
                        flood(packet, cx.outlet.worker(), cx, leave_copy, leave);
                    }
                    Err(halt) => stop(halt, packet.frame, cx),
                },
                (Err(halt), _) => stop(halt, packet.frame, cx),
            }
        }
    }
}

/// Sends a packet to a port: through the to-port half here, or by way of the worker that owns the port's link.
#[allow(clippy::inline_always, reason = "as a call it gets the packet by way of memory")]
#[inline(always)]
pub fn send(packet: Packet, to: PortSlot, cx: &mut Context<'_, impl Outlet>) {
    match cx.tables.exit(to, packet.facts.queue, cx.outlet.worker()) {
        Some(exit) if cx.outlet.is_own(exit.worker) => leave(packet, &exit, cx),
        Some(exit) => hand_over(packet, &exit, cx),
        None => stop(Halt::drop(Blame::NoPort, Transmit::NoSocket), packet.frame, cx),
    }
}

#[inline(never)]
fn hand_over(packet: Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    let waiting = HandedOver::new(packet, Target::Port(exit.slot), cx);
    if let Err(refused) = cx.outlet.hand_over(exit.worker, waiting) {
        stop(Halt::drop(exit.slot, Transmit::HandoverFull), refused.into_packet().frame, cx);
    }
}

/// Takes a packet that another worker handed over through the to-port half. Returns how many frames it became.
#[inline]
pub fn receive(handed: HandedOver, cx: &mut Context<'_, impl Outlet>) -> usize {
    let from = handed.from();
    match handed.open(cx.tables) {
        Ok((packet, Target::Flood)) => return flood(packet, from, cx, leave_copy, leave),
        Ok((packet, Target::Port(to))) => match cx.tables.exit(to, packet.facts.queue, from) {
            Some(exit) => leave(packet, &exit, cx),
            None => stop(Halt::drop(Blame::NoPort, Transmit::NoSocket), packet.frame, cx),
        },
        Err((frame, halt)) => stop(halt, frame, cx),
    }
    1
}

/// The to-port half.
#[allow(clippy::inline_always, reason = "as a call it gets the packet by way of memory")]
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

/// The to-port half for a copy, which is made once nothing else stands against it. TCP to a group address is not cut.
fn leave_copy(packet: &Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match admit(packet, exit).and_then(|()| fit(packet, exit)) {
        Ok(_) => match copy(packet, cx) {
            Some(copy) => finish(copy, exit, cx),
            None => cx.count_drop(exit.slot.into(), Flood::NoChunk.into()),
        },
        Err(Halt::Drop(blame, reason)) => cx.count_drop(blame, reason),
    }
}

#[allow(clippy::inline_always, reason = "as a call it gets the packet by way of memory")]
#[inline(always)]
fn finish(mut packet: Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match wrap(&mut packet, exit) {
        Ok(()) => cx.outlet.transmit(packet.frame, exit),
        Err(halt) => stop(halt, packet.frame, cx),
    }
}

/// Ends the route of a frame.
#[cold]
fn stop(halt: Halt, frame: Frame, cx: &mut Context<'_, impl Outlet>) {
    match halt {
        Halt::Drop(blame, reason) => cx.drop_frame(frame, blame, reason),
    }
}
