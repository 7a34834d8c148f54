//! The list of steps for a burst whose packets security groups judge. It is that of other bursts, with the
//! connections of all packets loaded before the first is judged, so that the waits for memory overlap.

use arrayvec::ArrayVec;

use super::burst::send;
use super::check_sender::check_sender;
use super::from_port::{Ingress, checksum, classify, classify_outside, locate};
use super::judge::parse;
use super::leave::leave_parsed;
use super::state::connections::Expected;
use super::{Burst, Context, Outlet, Packet, Target};
use crate::packet::datagram::{Datagram, Parsed};
use crate::tables::PortSlot;
use crate::xsk::BURST_FRAMES;

/// Takes a burst through the from-port half.
#[inline(never)]
pub(super) fn forward_judged(burst: &mut Burst, ingress: Ingress<'_>, cx: &mut Context<'_, impl Outlet>) {
    let mut packets = ArrayVec::<_, BURST_FRAMES>::new();
    for mut frame in burst.drain(..) {
        let facts = if ingress.is_outside() {
            classify_outside(&mut frame, ingress, cx)
        } else {
            classify(&mut frame, ingress, cx)
        };
        match facts {
            Ok(facts) => packets.push(Packet { frame, facts }),
            Err(halt) => cx.stop(frame, halt),
        }
    }
    let parsed: ArrayVec<_, BURST_FRAMES> = packets.iter().map(|packet| parse(&packet.frame)).collect();
    expect(packets.iter().zip(&parsed).map(|(packet, parsed)| (packet.facts.origin.port(), parsed)), cx);
    let mut checked = ArrayVec::<_, BURST_FRAMES>::new();
    for (packet, parsed) in packets.into_iter().zip(parsed) {
        match check_sender(&packet.frame, &packet.facts, Some(&parsed), cx) {
            Ok(()) => checked.push((packet, parsed)),
            Err(halt) => cx.stop(packet.frame, halt),
        }
    }
    let mut located = ArrayVec::<_, BURST_FRAMES>::new();
    for (packet, parsed) in checked {
        match locate(&packet, cx) {
            Ok(target) => located.push((packet, parsed, target)),
            Err(halt) => cx.stop(packet.frame, halt),
        }
    }
    expect(located.iter().map(|(_, parsed, target)| (target.port(), parsed)), cx);
    for (mut packet, parsed, target) in located {
        match checksum(&mut packet, cx) {
            Ok(()) => send_parsed(packet, parsed, target, cx),
            Err(halt) => cx.stop(packet.frame, halt),
        }
    }
}

#[inline(always)]
fn send_parsed(packet: Packet, parsed: Parsed, target: Target, cx: &mut Context<'_, impl Outlet>) {
    let exit = target.port().and_then(|to| cx.tables.direct_exit(to, packet.facts.queue, cx.outlet.worker()));
    match exit {
        Some(exit) => leave_parsed(packet, Some(&parsed), exit, cx),
        None => send(packet, target, cx),
    }
}

/// Loads the connections of filtered ports. In two rounds: the first finds where the second reads.
fn expect<'p>(packets: impl Iterator<Item = (Option<PortSlot>, &'p Parsed)>, cx: &Context<'_, impl Outlet>) {
    let connections = &cx.state.connections;
    let expected = packets.filter_map(|(port, parsed)| {
        let port = cx.tables.port(port?).filter(|port| port.filter.is_some())?;
        let Datagram { talk, .. } = parsed.as_ref().ok()?.as_ref()?;
        Some(connections.expect(port.identity, talk))
    });
    let expected: ArrayVec<Expected, BURST_FRAMES> = expected.collect();
    expected.into_iter().for_each(|expected| connections.load(expected));
}
