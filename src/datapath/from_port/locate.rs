//! Step 4: (network, destination address) → the receivers. The table comes from the NB DB. Frames decide
//! nothing but which of several ports that may have an address has it.

use crate::datapath::{Context, Event, Halt, Outlet, Packet, Target};
use crate::packet::Header;
use crate::tables::{ContestedAddress, PortSlot};
use crate::types::drop_reason::{Classify, Locate};
use crate::types::{MacAddr, ReservedMulticast};

/// Finds the receivers of a packet.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[expect(clippy::many_single_char_names, reason = "six bytes, which as a slice take six instructions more")]
#[inline(always)]
pub fn locate(packet: &Packet, cx: &mut Context<'_, impl Outlet>) -> Result<Target, Halt> {
    let origin = packet.facts.origin;
    let network = cx.tables.network(packet.facts.network).ok_or(Halt::drop(origin, Locate::Unknown))?;
    let header: &[u8; Header::LEN] =
        packet.frame.bytes().first_chunk().ok_or(Halt::drop(origin, Classify::Truncated))?;
    if !has_station_source(header) {
        return Err(Halt::drop(origin, Locate::SourceInvalid));
    }
    let [a, b, c, d, e, f, ..] = *header;
    let address = MacAddr::new([a, b, c, d, e, f]);
    let target = if address.is_group() {
        if address.is_bridge_reserved() && cx.tables.reserved_multicast == ReservedMulticast::Drop {
            return Err(Halt::drop(origin, Locate::Reserved));
        }
        Target::Flood
    } else {
        match network.macs.get(&address) {
            Some(port) if origin.is(*port) => return Err(Halt::drop(origin, Locate::IsSource)),
            Some(port) => Target::Port(*port),
            // On the wire of a provider network is whatever is not here.
            None => match network.wire.filter(|wire| !origin.is(*wire)) {
                Some(wire) => Target::Port(wire),
                None => return Err(Halt::drop(origin, Locate::Unknown)),
            },
        }
    };
    cx.outlet.observe(Event::Located(&packet.facts, target));
    Ok(target)
}

/// The port that holds the contested address at `place` now.
///
/// # Errors
/// No port holds it, or the sender itself does.
pub(in crate::datapath) fn holder<O>(
    packet: &Packet,
    place: PortSlot,
    cx: &Context<'_, O>,
) -> Result<PortSlot, Halt> {
    let origin = packet.facts.origin;
    let network = cx.tables.network(packet.facts.network);
    let address = network.and_then(|network| network.contested_at(place));
    match address.and_then(ContestedAddress::holder) {
        None => Err(Halt::drop(origin, Locate::Unknown)),
        Some(port) if origin.is(port) => Err(Halt::drop(origin, Locate::IsSource)),
        Some(port) => Ok(port),
    }
}

/// Whether the source address can be a station's: neither a group address nor zero (IEEE Std 802-2014, 8.2).
/// Here, where the header is read anyway, this takes a load and two tests of each frame.
#[inline]
#[expect(clippy::many_single_char_names, reason = "six bytes, which as a slice take six instructions more")]
fn has_station_source(header: &[u8; Header::LEN]) -> bool {
    const GROUP: u64 = 1;
    let [.., a, b, c, d, e, f, _, _] = *header;
    let source = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    source & GROUP == 0 && source != 0
}
