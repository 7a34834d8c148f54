//! Step 1 on an uplink: out of a tunnel, or from the wire of a provider network; then the source address.

use super::announce::{announce, source_address};
use super::classify::{Ingress, classify};
use crate::datapath::{Blame, Context, Entry, Event, Facts, Halt, Origin, Outlet};
use crate::packet::tunnel::{self, Malformed, Outer};
use crate::packet::{Header, Sender};
use crate::tables::{ContestedAddress, Network, PortSlot};
use crate::types::Wants;
use crate::types::drop_reason::{Classify, Decapsulate};
use crate::xsk::Frame;

/// Finds the network of a frame from an uplink, and where it came from, and takes its outer headers off.
///
/// # Errors
/// The reason to drop the frame, which may have lost headers by then.
#[inline]
pub(in crate::datapath) fn classify_outside(
    frame: &mut Frame,
    ingress: Ingress<'_>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<Facts, Halt> {
    let outer = cx.tables.outside().endpoint;
    let outer = outer.and_then(|endpoint| tunnel::parse(frame.bytes(), frame.len(), endpoint));
    let facts = match outer {
        Some(Ok(outer)) => decapsulate(frame, &outer, ingress.entry(), cx)?,
        Some(Err(malformed)) => return Err(Halt::drop(Blame::NO_PORT, reason_of(malformed))),
        None => classify(frame, ingress, cx)?,
    };
    check_source(frame, &facts, cx)?;
    Ok(facts)
}

/// Takes the outer headers off. A packet is accepted from every chassis, so that a port that has just moved
/// is heard.
#[inline]
fn decapsulate(
    frame: &mut Frame,
    outer: &Outer,
    entry: Entry,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<Facts, Halt> {
    let outside = cx.tables.outside();
    let unknown_peer = Halt::drop(Blame::NO_PORT, Decapsulate::UnknownPeer);
    let peer = PortSlot::of_peer(outside.peer(outer.source).ok_or(unknown_peer)?);
    if let Some(counters) = cx.tables.counters(peer).of(cx.outlet.worker()) {
        counters.received(frame.len());
    }
    let network = outside.network(outer.kind, outer.key);
    let network = network.ok_or(Halt::drop(peer, Decapsulate::UnknownNetwork))?;
    frame.trim_front(outer.len);
    let header = Header::parse(frame.bytes()).map_err(|_| Halt::drop(peer, Decapsulate::Truncated))?;
    let facts = Facts {
        origin: Origin::new(peer),
        network,
        queue: entry.queue,
        pcp: header.pcp(),
        wants: Wants::CHECKSUM | Wants::OUTSIDE,
    };
    cx.outlet.observe(Event::Classified(&facts));
    Ok(facts)
}

const fn reason_of(malformed: Malformed) -> Decapsulate {
    match malformed {
        Malformed::Truncated => Decapsulate::Truncated,
        Malformed::Checksum => Decapsulate::Checksum,
        Malformed::Header => Decapsulate::Header,
        Malformed::CriticalOption => Decapsulate::CriticalOption,
    }
}

/// Rejects a frame from a port of this host, and lets a frame from a claimant of a contested address announce
/// it.
#[inline]
fn check_source(frame: &Frame, facts: &Facts, cx: &mut Context<'_, impl Outlet>) -> Result<(), Halt> {
    let Some(network) = cx.tables.network(facts.network) else { return Ok(()) };
    let source = source_address(frame).ok_or(Halt::drop(facts.origin, Classify::Truncated))?;
    match network.macs.get(&source) {
        Some(place) if place.is_contested() => check_claimants(frame, facts, (network, *place), cx),
        Some(place) if is_here(*place, network) => Err(Halt::drop(facts.origin, Decapsulate::SourceIsLocal)),
        Some(_) | None => Ok(()),
    }
}

fn is_here(place: PortSlot, network: &Network) -> bool {
    place.peer().is_none() && network.wire != Some(place)
}

#[cold]
fn check_claimants(
    frame: &Frame,
    facts: &Facts,
    (network, place): (&Network, PortSlot),
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    let address = network.contested_at(place);
    if address.is_some_and(|address| address.claimants().all(|claimant| is_here(claimant, network))) {
        return Err(Halt::drop(facts.origin, Decapsulate::SourceIsLocal));
    }
    let sender = Sender::of(frame.bytes(), frame.len());
    let claimant = |address: &ContestedAddress| address.key_at(facts.origin.slot());
    let counters = cx.tables.counters(facts.origin.slot());
    announce(frame, sender.as_ref(), facts.network, (claimant, counters), cx);
    Ok(())
}
