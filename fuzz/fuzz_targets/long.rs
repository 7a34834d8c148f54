//! Frames that exceed the MTU of their receivers: sent ones fit, no bytes are invented, and every chunk
//! returns to the arena.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use trunkpath::tables::LinkSlot;

use testkit::scenario::Scenario;
use testkit::switch::Switch;

/// So small that short inputs exceed it, and that header lengths matter.
const MTU: usize = 120;
/// Bytes that a veth takes beyond the MTU: an Ethernet header and one tag.
const HEADER: usize = 18;

thread_local! {
    static SWITCH: RefCell<Switch> = RefCell::new({
        let scenario = Scenario::vm_and_peers();
        let scenario = ["vm", "peer-a", "peer-b"].iter().fold(scenario, |scenario, port| scenario.mtu(port, MTU));
        Switch::new(&scenario)
    });
}

fuzz_target!(|input: (u8, &[u8])| {
    let (link, frame) = input;
    SWITCH.with_borrow_mut(|switch| {
        let sent = switch.send_on(LinkSlot(u16::from(link) % 3), frame);
        let mut bytes = 0;
        for (_, segment) in &sent {
            assert!(segment.len() <= MTU + HEADER, "{} bytes", segment.len());
            assert_eq!(segment[..12], frame[..12], "other addresses");
            bytes += segment.len();
        }
        // Each segment has some payload and its own headers. No flood has more than one receiver here.
        assert!(bytes <= frame.len() * (MTU + HEADER) && sent.len() <= frame.len().max(1));
        assert_eq!(switch.outlet.arena.free_chunk_count(), switch.outlet.arena.chunk_count());
    });
});
