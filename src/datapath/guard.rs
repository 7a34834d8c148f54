//! Step 1, second half: may its sender call itself that? With port security a port sends from its own addresses only.

use super::{DropReason, Source};
use crate::packet::Sender;
use crate::tables::Tables;
use crate::xsk::Frame;

/// Checks the addresses that a classified frame says it is from.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub fn guard(frame: &Frame, source: &Source, tables: &Tables) -> Result<(), DropReason> {
    if !has_station_source(frame) {
        return Err(DropReason::GuardSourceInvalid);
    }
    if source.guarded { check(frame, source, tables) } else { Ok(()) }
}

/// Whether the source address can be a station's: neither a group address nor zero. As one number, read with the two
/// bytes behind it, that takes a few instructions.
#[inline]
fn has_station_source(frame: &Frame) -> bool {
    const GROUP: u64 = 1 << 56;
    let Some(bytes) = frame.bytes().get(6..).and_then(<[u8]>::first_chunk) else { return false };
    let source = u64::from_be_bytes(*bytes);
    source & GROUP == 0 && source >> 16 != 0
}

fn check(frame: &Frame, source: &Source, tables: &Tables) -> Result<(), DropReason> {
    let allowed = tables.port(source.port).and_then(|port| port.allowed_sources.as_deref());
    let allowed = allowed.ok_or(DropReason::ClassifyNoPort)?;
    let Sender { mac, announced, ips } =
        Sender::of(frame.bytes(), frame.len()).ok_or(DropReason::GuardUnreadable)?;
    let speaker = announced.unwrap_or(mac);
    if !allowed.has(mac) || !allowed.has(speaker) {
        return Err(DropReason::GuardSourceMac);
    }
    if !ips.into_iter().all(|ip| allowed.allow(speaker, ip)) {
        return Err(DropReason::GuardSourceIp);
    }
    Ok(())
}
