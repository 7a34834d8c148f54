//! The way out to a receiver: by its link, or by an uplink to its host.

use super::{Blame, Context, Halt, Packet};
use crate::packet::tunnel::Flow;
use crate::tables::{Exit, PeerSlot, PortSlot, WorkerId};
use crate::types::drop_reason::{Transmit, Tunnel};

/// Finds the exit to the receiver at `to` for a packet that worker `from` received.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub(super) fn exit_to<'t, O>(
    packet: &Packet,
    to: PortSlot,
    from: WorkerId,
    cx: &Context<'t, O>,
) -> Result<Exit<'t>, Halt> {
    match to.peer() {
        None => {
            let exit = cx.tables.exit(to, packet.facts.queue, from);
            exit.ok_or(Halt::drop(Blame::NO_PORT, Transmit::NoSocket))
        }
        Some(peer) => exit_to_host(packet, (to, peer), from, cx),
    }
}

#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
fn exit_to_host<'t, O>(
    packet: &Packet,
    (to, peer): (PortSlot, PeerSlot),
    from: WorkerId,
    cx: &Context<'t, O>,
) -> Result<Exit<'t>, Halt> {
    let (tables, facts) = (cx.tables, &packet.facts);
    if facts.origin.is_peer() {
        return Err(Halt::drop(facts.origin, Tunnel::SplitHorizon));
    }
    let tunnel = tables.network(facts.network).and_then(|network| network.tunnel);
    let tunnel = tunnel.ok_or(Halt::drop(to, Tunnel::NoTunnel))?;
    let flow = Flow::of(packet.frame.bytes());
    let exit = tables.peer_exit(peer, (tunnel, flow), facts.queue, from);
    exit.map_err(|reason| Halt::drop(to, reason))?.ok_or(Halt::drop(to, Transmit::NoSocket))
}
