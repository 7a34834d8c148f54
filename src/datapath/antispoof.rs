//! Step 1, second half: may its sender call itself that? With port security a port sends from its own addresses only. What
//! may be sent counts as an announcement of addresses that the port shares with others.

use super::announce::announce;
use super::sighting::{refused_mac, unknown_tag};
use super::{DropReason, Outlet, Source};
use crate::packet::Sender;
use crate::tables::Tables;
use crate::types::{AllowedSources, MacAddr};
use crate::xsk::Frame;

/// Checks the addresses that a classified frame says it is from, and records a tag that its port does not have.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub fn antispoof(
    frame: &Frame,
    source: &Source,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> Result<(), DropReason> {
    if source.is_guarded { check(frame, source, tables, outlet) } else { Ok(()) }
}

#[inline(never)]
fn check(
    frame: &Frame,
    source: &Source,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> Result<(), DropReason> {
    let port = tables.port(source.port).ok_or(DropReason::ClassifyNoPort)?;
    if port.subports.is_some() {
        unknown_tag(frame, source.port, tables, outlet);
    }
    let Some(rules) = port.source_rules.as_deref() else { return Ok(()) };
    let sender = Sender::of(frame.bytes(), frame.len());
    if let Some(allowed) = &rules.allowed {
        check_addresses(sender.as_ref(), allowed, |mac| refused_mac(mac, source, tables, outlet))?;
    }
    if !rules.pair_macs.is_empty() {
        announce(frame, sender.as_ref(), source, tables, outlet);
    }
    Ok(())
}

/// Checks that a port may send from, and announce, the addresses of a frame.
fn check_addresses(
    sender: Option<&Sender>,
    allowed: &AllowedSources,
    refuse: impl FnOnce(MacAddr) -> DropReason,
) -> Result<(), DropReason> {
    let Sender { mac, announced, ips } = sender.ok_or(DropReason::AntispoofUnreadable)?;
    let speaker = announced.unwrap_or(*mac);
    if let Some(refused) = [*mac, speaker].into_iter().find(|mac| !allowed.has(*mac)) {
        return Err(refuse(refused));
    }
    if !ips.iter().all(|ip| allowed.allow(speaker, *ip)) {
        return Err(DropReason::AntispoofSourceIp);
    }
    Ok(())
}
