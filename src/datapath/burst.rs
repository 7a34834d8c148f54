//! The list of steps, in the order in which frames take them, and the only place that acts on a [`Halt`].

use arrayvec::ArrayVec;

use super::from_port::{
    Ingress, antispoof, checksum, classify, classify_outside, copy, flood, locate, spread,
};
use super::to_port::{Fit, admit, cut, fit, fit_whole, wrap};
use super::{Burst, Context, Facts, Halt, HandedOver, Outlet, Packet, Target, hand_over};
use crate::tables::Exit;
use crate::xsk::{BURST_FRAMES, Frame};

/// Takes a burst through the from-port half.
#[inline]
pub fn forward<O: Outlet>(burst: &mut Burst, ingress: Ingress<'_>, cx: &mut Context<'_, O>) {
    if ingress.is_outside() {
        forward_classified(burst, cx, |frame, cx| classify_outside(frame, ingress, cx));
    } else {
        forward_classified(burst, cx, |frame, cx| classify(frame, ingress, cx));
    }
}

/// Takes each step for all frames, so that waits for memory overlap.
#[inline]
fn forward_classified<O: Outlet>(
    burst: &mut Burst,
    cx: &mut Context<'_, O>,
    classify: impl Fn(&mut Frame, &mut Context<'_, O>) -> Result<Facts, Halt>,
) {
    let mut classified = ArrayVec::<_, BURST_FRAMES>::new();
    for mut frame in burst.drain(..) {
        match classify(&mut frame, cx) {
            Ok(facts) => match antispoof(&frame, &facts, cx) {
                Ok(()) => classified.push(Packet { frame, facts }),
                Err(halt) => stop(halt, frame, cx),
            },
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
        match checksum(&mut packet, cx) {
            Ok(()) => send(packet, target, cx),
            Err(halt) => stop(halt, packet.frame, cx),
        }
    }
}

/// Sends a packet that this worker received to its target: through the to-port half, if it owns the way out.
#[inline(always)]
pub fn send(packet: Packet, target: Target, cx: &mut Context<'_, impl Outlet>) {
    match target {
        Target::Port(to) => match cx.tables.direct_exit(to, packet.facts.queue, cx.outlet.worker()) {
            Some(exit) => leave(packet, exit, cx),
            None => go_on(hand_over(packet, to, cx.outlet.worker(), cx, leave), cx),
        },
        Target::Flood => go_on(flood(packet, cx, leave_copy, leave), cx),
    }
}

/// Takes a packet that another worker handed over through the to-port half.
pub fn receive(handed: HandedOver, cx: &mut Context<'_, impl Outlet>) {
    let from = handed.from();
    match handed.open(cx.tables) {
        Ok((packet, Target::Port(to))) => go_on(hand_over(packet, to, from, cx, leave), cx),
        Ok((packet, Target::Flood)) => spread(packet, from, cx, leave_copy, leave),
        Err((frame, halt)) => stop(halt, frame, cx),
    }
}

/// The to-port half, for a packet that this worker keeps.
#[inline(always)]
fn leave(packet: Packet, exit: Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match admit(&packet, &exit).and_then(|()| fit(&packet, &exit)) {
        Ok(Fit::Whole) => finish(packet, exit, cx),
        Ok(Fit::Cut) => go_on(cut(packet, exit, cx, finish), cx),
        Err(halt) => stop(halt, packet.frame, cx),
    }
}

/// The to-port half for a copy, which is made once nothing else stands against it.
#[inline(always)]
fn leave_copy(packet: &Packet, exit: &Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    let fitting = admit(packet, exit).and_then(|()| fit_whole(packet, exit));
    match fitting.and_then(|()| copy(packet, exit.slot, cx)) {
        Ok(copy) => finish(copy, *exit, cx),
        Err(Halt::Drop(blame, reason)) => cx.count_drop(blame, reason),
    }
}

#[inline(always)]
fn finish(mut packet: Packet, exit: Exit<'_>, cx: &mut Context<'_, impl Outlet>) {
    match wrap(&mut packet, &exit, cx) {
        Ok(()) => cx.outlet.transmit(packet.frame, &exit),
        Err(halt) => stop(halt, packet.frame, cx),
    }
}

#[inline(always)]
fn go_on(outcome: Result<(), (Frame, Halt)>, cx: &mut Context<'_, impl Outlet>) {
    if let Err((frame, halt)) = outcome {
        stop(halt, frame, cx);
    }
}

#[cold]
fn stop(Halt::Drop(blame, reason): Halt, frame: Frame, cx: &mut Context<'_, impl Outlet>) {
    cx.drop_frame(frame, blame, reason);
}
