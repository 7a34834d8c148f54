//! Which of the ports that claim an address of `allowed_address_pairs` has it: the one that announced it
//! last, as a host does that takes over a virtual address (RFC 9568, 8.1.2 and 8.2.2).

use crate::datapath::{Context, Outlet};
use crate::packet::Sender;
use crate::tables::{ContestedAddress, NetworkSlot, PortCounters};
use crate::types::{MacAddr, PortKey};
use crate::xsk::Frame;

/// Moves the contested addresses that a frame is from, or announces by ARP or neighbour discovery, to the
/// port that `claimant` returns for each. Each moves at most once a second. The frame of a trace moves
/// nothing.
#[cold]
pub(super) fn announce(
    frame: &Frame,
    sender: Option<&Sender>,
    network: NetworkSlot,
    (claimant, counters): (impl Fn(&ContestedAddress) -> Option<PortKey>, &PortCounters),
    cx: &mut Context<'_, impl Outlet>,
) {
    let Some(network) = cx.tables.network(network) else { return };
    let Some(counters) = counters.of(cx.outlet.worker()) else { return };
    let announced = sender.and_then(|sender| sender.announced);
    for mac in source_address(frame).into_iter().chain(announced) {
        let place = network.macs.get(&mac);
        let address = place.and_then(|place| network.contested_at(*place));
        if let Some((address, port)) = address.and_then(|address| Some((address, claimant(address)?))) {
            counters.announced(address.announce(port, || cx.outlet.now_ns()));
        }
    }
}

/// The source address of a frame that has one.
pub(super) fn source_address(frame: &Frame) -> Option<MacAddr> {
    Some(MacAddr::new(*frame.bytes().get(6..)?.first_chunk()?))
}
