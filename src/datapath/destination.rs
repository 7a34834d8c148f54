//! Step 2: where does it go? (network, destination address) → a port, or all of them. The table comes from the NB
//! DB; nothing is learned from frames.

use super::{DropReason, Source};
use crate::tables::{PortSlot, Tables};
use crate::types::MacAddr;
use crate::xsk::Frame;

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'t> {
    /// To one port.
    Port(PortSlot),
    /// To each of these but the sender.
    Flood(&'t [PortSlot]),
}

/// Finds where a frame from `source` goes.
///
/// # Errors
/// The reason to drop it.
#[inline(always)]
pub fn destination<'t>(
    frame: &Frame,
    source: &Source,
    tables: &'t Tables,
) -> Result<Destination<'t>, DropReason> {
    let network = tables.network(source.network).ok_or(DropReason::DestinationUnknown)?;
    let address = frame.bytes().first_chunk().copied().map(MacAddr::new);
    let address = address.ok_or(DropReason::ClassifyTruncated)?;
    if address.is_group() {
        return Ok(Destination::Flood(&network.flood));
    }
    match network.macs.get(&address) {
        Some(port) if *port == source.port => Err(DropReason::DestinationIsSource),
        Some(port) => Ok(Destination::Port(*port)),
        None => Err(DropReason::DestinationUnknown),
    }
}
