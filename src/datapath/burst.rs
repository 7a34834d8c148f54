//! The list of steps, in the order in which frames take them, up to the to-port half, which is in `leave.rs`.
//! Those of ports with rules are in `check_sender.rs`; `judged.rs` has the list for bursts that are judged.

use arrayvec::ArrayVec;

use super::check_sender::check_sender;
use super::from_port::{Ingress, checksum, classify, classify_outside, flood, locate, spread};
use super::judged::forward_judged;
use super::leave::{leave, leave_copy};
use super::{Burst, Context, Facts, Halt, HandedOver, Outlet, Packet, Target, hand_over};
use crate::tables::{PortSlot, WorkerId};
use crate::xsk::{BURST_FRAMES, Frame};

/// Takes a burst through the from-port half.
#[inline]
pub fn forward<O: Outlet>(burst: &mut Burst, ingress: Ingress<'_>, cx: &mut Context<'_, O>) {
    if ingress.is_judged(cx.tables) {
        forward_judged(burst, ingress, cx);
    } else if ingress.is_outside() {
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
            Ok(facts) => match check_sender(&frame, &facts, None, cx) {
                Ok(()) => classified.push(Packet { frame, facts }),
                Err(halt) => cx.stop(frame, halt),
            },
            Err(halt) => cx.stop(frame, halt),
        }
    }
    let mut located = ArrayVec::<_, BURST_FRAMES>::new();
    for packet in classified {
        match locate(&packet, cx) {
            Ok(target) => located.push((packet, target)),
            Err(halt) => cx.stop(packet.frame, halt),
        }
    }
    for (mut packet, target) in located {
        match checksum(&mut packet, cx) {
            Ok(()) => send(packet, target, cx),
            Err(halt) => cx.stop(packet.frame, halt),
        }
    }
}

/// Sends a packet that this worker received to its target: through the to-port half, if it owns the way out.
#[inline(always)]
pub fn send(packet: Packet, target: Target, cx: &mut Context<'_, impl Outlet>) {
    match target {
        Target::Port(to) => match cx.tables.direct_exit(to, packet.facts.queue, cx.outlet.worker()) {
            Some(exit) => leave(packet, exit, cx),
            None => send_on(packet, to, cx.outlet.worker(), cx),
        },
        Target::Flood => {
            if let Err((frame, halt)) = flood(packet, cx, leave_copy, leave) {
                cx.stop(frame, halt);
            }
        }
    }
}

/// Takes a packet that another worker handed over through the to-port half.
pub fn receive(handed: HandedOver, cx: &mut Context<'_, impl Outlet>) {
    let from = handed.from();
    match handed.open(cx.tables) {
        Ok((packet, Target::Port(to))) => send_on(packet, to, from, cx),
        Ok((packet, Target::Flood)) => spread(packet, from, cx, leave_copy, leave),
        Err((frame, halt)) => cx.stop(frame, halt),
    }
}

/// Sends a packet, which worker `from` received, by an exit that nearly all frames within a host do not need.
#[inline(never)]
fn send_on(packet: Packet, to: PortSlot, from: WorkerId, cx: &mut Context<'_, impl Outlet>) {
    match hand_over(packet, to, from, cx) {
        Ok(Some((packet, exit))) => leave(packet, exit, cx),
        Ok(None) => {}
        Err((frame, halt)) => cx.stop(frame, halt),
    }
}
