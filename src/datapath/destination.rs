//! Step 2: where does it go? (network, destination address) → a port, or all of them. The table comes from the NB
//! DB; nothing is learned from frames.

use super::{DropReason, Source};
use crate::tables::{Network, PortSlot, Tables};
use crate::types::{MacAddr, ReservedMulticast};
use crate::xsk::Frame;

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'t> {
    /// To one port.
    Port(PortSlot),
    /// To each of these but the sender.
    Flood(&'t [PortSlot]),
}

/// Finds where a frame to a group address goes.
fn group<'t>(
    address: MacAddr,
    network: &'t Network,
    tables: &'t Tables,
) -> Result<Destination<'t>, DropReason> {
    if address.is_bridge_reserved() && tables.reserved_multicast == ReservedMulticast::Drop {
        return Err(DropReason::DestinationReserved);
    }
    Ok(Destination::Flood(&network.flood))
}

/// The destination and the source address.
#[inline]
fn addresses(frame: &Frame) -> Option<(MacAddr, MacAddr)> {
    let both: &[u8; 12] = frame.bytes().first_chunk()?;
    let (to, from) = both.split_at(6);
    Some((MacAddr::new(*to.first_chunk()?), MacAddr::new(*from.first_chunk()?)))
}

/// Finds where a frame from `source` goes.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn destination<'t>(
    frame: &Frame,
    source: &Source,
    tables: &'t Tables,
) -> Result<Destination<'t>, DropReason> {
    let network = tables.network(source.network).ok_or(DropReason::DestinationUnknown)?;
    let (address, from) = addresses(frame).ok_or(DropReason::ClassifyTruncated)?;
    // Here, where the addresses are read anyway, this takes a few instructions of each frame.
    if !from.is_station() {
        return Err(DropReason::DestinationSourceInvalid);
    }
    if address.is_group() {
        return group(address, network, tables);
    }
    match network.macs.get(&address) {
        Some(port) if *port == source.port => Err(DropReason::DestinationIsSource),
        Some(port) => Ok(Destination::Port(*port)),
        None => Err(DropReason::DestinationUnknown),
    }
}
