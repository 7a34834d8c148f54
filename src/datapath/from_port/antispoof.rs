//! Step 2: with port security, a port sends from its own addresses only. What may be sent counts as an
//! announcement of addresses that the port shares with others.

use super::announce::announce;
use super::sighting::{refused_mac, unknown_tag};
use crate::datapath::{Context, Facts, Halt, Outlet};
use crate::packet::Sender;
use crate::tables::{ContestedAddress, Port};
use crate::types::drop_reason::Antispoof;
use crate::types::{AllowedSources, MacAddr};
use crate::xsk::Frame;

/// Checks the addresses that a classified frame of `port` is from, or announces, and records a tag that the
/// port does not have.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn antispoof(
    frame: &Frame,
    facts: &Facts,
    port: &Port,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    let slot = facts.origin.slot();
    if port.subports.is_some() {
        unknown_tag(frame, slot, cx);
    }
    let Some(rules) = port.source_rules.as_deref() else { return Ok(()) };
    let sender = Sender::of(frame.bytes(), frame.len());
    if let Some(allowed) = &rules.allowed {
        let checked = check_addresses(sender.as_ref(), allowed, |mac| refused_mac(mac, slot, cx));
        checked.map_err(|reason| Halt::drop(slot, reason))?;
    }
    if !rules.pair_macs.is_empty() {
        announce(
            frame,
            sender.as_ref(),
            facts.network,
            (|_: &ContestedAddress| port.identity.port(), &port.counters),
            cx,
        );
    }
    Ok(())
}

/// Checks that a port may send from, and announce, the addresses of a frame.
fn check_addresses(
    sender: Option<&Sender>,
    allowed: &AllowedSources,
    record: impl FnOnce(MacAddr),
) -> Result<(), Antispoof> {
    let Sender { mac, announced, ips } = sender.ok_or(Antispoof::Unreadable)?;
    let speaker = announced.unwrap_or(*mac);
    if let Some(refused) = [*mac, speaker].into_iter().find(|mac| !allowed.has(*mac)) {
        record(refused);
        return Err(Antispoof::SourceMac);
    }
    if !ips.iter().all(|ip| allowed.allow(speaker, *ip)) {
        return Err(Antispoof::SourceIp);
    }
    Ok(())
}
