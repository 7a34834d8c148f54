//! Which of the ports that claim an address of `allowed_address_pairs` has it: the one that announced it
//! last, as a host does that takes over a virtual address (RFC 9568, 8.1.2 and 8.2.2).

use crate::datapath::{Context, Outlet};
use crate::packet::Sender;
use crate::tables::{NetworkSlot, Port};
use crate::types::MacAddr;
use crate::xsk::Frame;

/// Moves the contested addresses that a frame is from, or announces by ARP or neighbour discovery, to its
/// port. Each moves at most once a second. The frame of a trace moves nothing.
#[cold]
pub(super) fn announce(
    frame: &Frame,
    sender: Option<&Sender>,
    network: NetworkSlot,
    port: &Port,
    cx: &mut Context<'_, impl Outlet>,
) {
    let Some(network) = cx.tables.network(network) else { return };
    let Some(counters) = port.counters.of(cx.outlet.worker()) else { return };
    let announced = sender.and_then(|sender| sender.announced);
    for mac in source_address(frame).into_iter().chain(announced) {
        let place = network.macs.get(&mac);
        if let Some(address) = place.and_then(|place| network.contested_at(*place)) {
            counters.announced(address.announce(port.key, || cx.outlet.now_ns()));
        }
    }
}

fn source_address(frame: &Frame) -> Option<MacAddr> {
    Some(MacAddr::new(*frame.bytes().get(6..)?.first_chunk()?))
}
