//! Step 1, second half: may its sender call itself that? With port security a port sends from its own addresses only.

use super::sighting::refused_mac;
use super::{DropReason, Outlet, Source};
use crate::packet::Sender;
use crate::tables::Tables;
use crate::xsk::Frame;

/// Checks the addresses that a classified frame says it is from.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub fn guard(
    frame: &Frame,
    source: &Source,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> Result<(), DropReason> {
    if source.guarded { check(frame, source, tables, outlet) } else { Ok(()) }
}

fn check(
    frame: &Frame,
    source: &Source,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> Result<(), DropReason> {
    let allowed = tables.port(source.port).and_then(|port| port.allowed_sources.as_deref());
    let allowed = allowed.ok_or(DropReason::ClassifyNoPort)?;
    let Sender { mac, announced, ips } =
        Sender::of(frame.bytes(), frame.len()).ok_or(DropReason::GuardUnreadable)?;
    let speaker = announced.unwrap_or(mac);
    if let Some(refused) = [mac, speaker].into_iter().find(|mac| !allowed.has(*mac)) {
        return Err(refused_mac(refused, source, tables, outlet));
    }
    if !ips.into_iter().all(|ip| allowed.allow(speaker, ip)) {
        return Err(DropReason::GuardSourceIp);
    }
    Ok(())
}
