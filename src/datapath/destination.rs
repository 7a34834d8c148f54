//! Step 2: where does it go? (network, destination address) → a port, or all of them. The table comes from the NB
//! DB. Frames decide nothing but which of several ports that may have an address has it.

use super::{DropReason, Source};
use crate::packet::Header;
use crate::tables::{Network, PortSlot, Tables};
use crate::types::{MacAddr, ReservedMulticast};
use crate::xsk::Frame;

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'t> {
    /// To one port, or to the one that holds a [contested address](PortSlot::is_contested).
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

/// Whether the source address can be a station's: neither a group address nor zero (IEEE Std 802-2014, 8.2). Here, where
/// the header is read anyway, this takes a load and two tests of each frame.
#[inline]
#[expect(clippy::many_single_char_names, reason = "six bytes, which as a slice take six instructions more")]
fn has_station_source(header: &[u8; Header::LEN]) -> bool {
    const GROUP: u64 = 1;
    let [.., a, b, c, d, e, f, _, _] = *header;
    let source = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    source & GROUP == 0 && source != 0
}

/// Finds where a frame from `source` goes.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[expect(clippy::many_single_char_names, reason = "six bytes, which as a slice take six instructions more")]
#[inline(always)]
pub fn destination<'t>(
    frame: &Frame,
    source: &Source,
    tables: &'t Tables,
) -> Result<Destination<'t>, DropReason> {
    let network = tables.network(source.network).ok_or(DropReason::DestinationUnknown)?;
    let header: &[u8; Header::LEN] = frame.bytes().first_chunk().ok_or(DropReason::ClassifyTruncated)?;
    if !has_station_source(header) {
        return Err(DropReason::DestinationSourceInvalid);
    }
    let [a, b, c, d, e, f, ..] = *header;
    let address = MacAddr::new([a, b, c, d, e, f]);
    if address.is_group() {
        return group(address, network, tables);
    }
    match network.macs.get(&address) {
        Some(port) if *port == source.port => Err(DropReason::DestinationIsSource),
        Some(port) => Ok(Destination::Port(*port)),
        None => Err(DropReason::DestinationUnknown),
    }
}
