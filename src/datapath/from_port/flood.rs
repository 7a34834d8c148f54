//! Step 6, for group addresses: a copy for each port of the network here but the sender, and one for each
//! other host with ports of it. Each worker makes the copies for the links that it owns, from one packet.

use super::copy::copy;
use crate::datapath::ration::may_cause;
use crate::datapath::{Context, Halt, HandedOver, Outlet, Packet, Target, exit_to};
use crate::tables::{Exit, PortSlot, Tables, WorkerId, WorkerSet};
use crate::types::DropReason;
use crate::types::drop_reason::{self, Transmit};
use crate::xsk::Frame;

/// Floods a packet that this worker received, if there is a receiver and the guest's ration covers all
/// copies. A copy costs as much as it has chunks.
///
/// # Errors
/// The frame, and the reason to drop it.
pub(in crate::datapath) fn flood<O: Outlet>(
    packet: Packet,
    cx: &mut Context<'_, O>,
    leave_copy: impl Fn(&Packet, &Exit<'_>, &mut Context<'_, O>),
    leave: impl Fn(Packet, Exit<'_>, &mut Context<'_, O>),
) -> Result<(), (Frame, Halt)> {
    let origin = packet.facts.origin;
    // The sender is one of them, if it is here.
    let receivers = receivers_of(&packet, cx.tables).len().saturating_sub(usize::from(!origin.is_peer()));
    if receivers == 0 {
        return Err((packet.frame, Halt::drop(origin, drop_reason::Flood::NoReceiver)));
    }
    if !may_cause(receivers * packet.frame.chunk_count(), &packet.facts, cx) {
        return Err((packet.frame, Halt::drop(origin, drop_reason::Flood::Rate)));
    }
    spread(packet, cx.outlet.worker(), cx, leave_copy, leave);
    Ok(())
}

/// Gives a copy of the untouched frame to each receiver behind this worker's links, and one to each other
/// worker that has receivers; the last of all gets the frame itself. `from` is the worker that received the
/// packet.
pub(in crate::datapath) fn spread<O: Outlet>(
    packet: Packet,
    from: WorkerId,
    cx: &mut Context<'_, O>,
    leave_copy: impl Fn(&Packet, &Exit<'_>, &mut Context<'_, O>),
    leave: impl Fn(Packet, Exit<'_>, &mut Context<'_, O>),
) {
    let Packet { facts, .. } = packet;
    let tables = cx.tables;
    let ports = receivers_of(&packet, tables);
    let here = |port| exit_to(&packet, port, from, cx).ok().filter(|exit| cx.outlet.is_own(exit.worker));
    let mut candidates = ports.iter().enumerate().rev().filter(|(_, port)| !facts.origin.is(**port));
    let last = candidates.find_map(|(place, port)| Some((place, here(*port)?)));
    let (mut has_others, mut is_counted) = (false, false);
    for (place, &receiver) in ports.iter().enumerate() {
        if facts.origin.is(receiver) || last.is_some_and(|(last, _)| last == place) {
            continue;
        }
        match exit_to(&packet, receiver, from, cx) {
            Ok(exit) if cx.outlet.is_own(exit.worker) => leave_copy(&packet, &exit, cx),
            Ok(_) => has_others = true,
            Err(Halt::Drop(_, reason)) => {
                is_counted = true;
                cx.count_drop(receiver.into(), reason);
            }
        }
    }
    // The worker that received the packet gives the others theirs.
    let is_to_give = has_others && cx.outlet.is_own(from);
    let left = if is_to_give { give(packet, last.is_some(), cx) } else { Some(packet) };
    match (left, last) {
        (Some(packet), Some((_, exit))) => leave(packet, exit, cx),
        (Some(packet), None) if is_counted => cx.outlet.release(packet.frame),
        // Its receivers left while it waited.
        (Some(Packet { frame, facts }), None) => {
            cx.drop_frame(frame, facts.origin.into(), drop_reason::Admit::NetworkLeft.into());
        }
        (None, _) => {}
    }
}

/// Gives a copy to each other worker that has receivers. The last one gets the packet itself, unless the
/// caller `keeps` it.
#[cold]
fn give(packet: Packet, keeps: bool, cx: &mut Context<'_, impl Outlet>) -> Option<Packet> {
    let worker = cx.outlet.worker();
    let mut others = WorkerSet::default();
    for receiver in receivers(&packet, cx) {
        let exit = exit_to(&packet, receiver, worker, cx).ok();
        if let Some(exit) = exit.filter(|exit| !cx.outlet.is_own(exit.worker)) {
            others.insert(exit.worker);
        }
    }
    let mut others = others.iter();
    let heir = if keeps { None } else { others.next() };
    for worker in others {
        match copy(&packet, packet.facts.origin, cx) {
            Ok(copy) => leave_for(worker, copy, cx),
            Err(Halt::Drop(_, reason)) => count_share(&packet, worker, reason, cx),
        }
    }
    match heir {
        Some(worker) => {
            leave_for(worker, packet, cx);
            None
        }
        None => Some(packet),
    }
}

/// The receivers of a flood, the sender among them.
fn receivers_of<'t>(packet: &Packet, tables: &'t Tables) -> &'t [PortSlot] {
    let network = tables.network(packet.facts.network);
    network.map_or(&[], |network| network.receivers(packet.facts.origin.slot()))
}

/// The receivers but the sender.
fn receivers<'t, O>(packet: &Packet, cx: &Context<'t, O>) -> impl Iterator<Item = PortSlot> + use<'t, O> {
    let origin = packet.facts.origin;
    receivers_of(packet, cx.tables).iter().copied().filter(move |port| !origin.is(*port))
}

/// Leaves a packet for the receivers behind the links of `worker`.
fn leave_for(worker: WorkerId, packet: Packet, cx: &mut Context<'_, impl Outlet>) {
    let waiting = HandedOver::new(packet, Target::Flood, cx.outlet.worker(), cx.tables);
    if let Err(refused) = cx.outlet.hand_over(worker, waiting) {
        let packet = refused.into_packet();
        count_share(&packet, worker, Transmit::HandoverFull, cx);
        cx.outlet.release(packet.frame);
    }
}

/// Counts a drop for each receiver behind the links of `worker`.
#[cold]
fn count_share(
    packet: &Packet,
    worker: WorkerId,
    reason: impl Into<DropReason>,
    cx: &mut Context<'_, impl Outlet>,
) {
    let reason = reason.into();
    for receiver in receivers(packet, cx) {
        let exit = exit_to(packet, receiver, cx.outlet.worker(), cx).ok();
        if exit.is_some_and(|exit| exit.worker == worker) {
            cx.count_drop(receiver.into(), reason);
        }
    }
}
