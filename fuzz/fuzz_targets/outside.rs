//! Frames from other hosts: no input breaks a worker, reaches another host or a network that it does not name,
//! or keeps a chunk. What arrives is the inner frame, unchanged but for the tags of the receiver's link.
#![no_main]

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;

use testkit::outside::{Place, Segment};
use testkit::scenario::Scenario;
use testkit::switch::Switch;
use testkit::tunnels::TunnelPacket;

thread_local! {
    static SWITCH: RefCell<Switch> = RefCell::new(Switch::new(&scenario()));
}

const KEY: u32 = 38;

fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// A guest with a subport on a tunnelled network each, and ports of the same networks on two other hosts; its
/// third network is a VLAN of the uplink.
fn scenario() -> Scenario {
    let mac = |last| [2, 0, 0, 0, 0, last];
    Scenario::vm_and_peers()
        .network("c", 3)
        .segment("a", Segment::Tunnel("vxlan", KEY))
        .segment("b", Segment::Tunnel("geneve", KEY))
        .segment("c", Segment::Vlan("eth1", 1234))
        .port("on-vlan", 5, "c", mac(5))
        .segmentation("s5", "peer-a", 55, "on-vlan")
        .chassis("two", host(2))
        .chassis("three", host(3))
        .port("remote", 20, "a", mac(0x21))
        .port("third", 30, "b", mac(0x31))
        .at("remote", Place::Chassis("two".to_owned()))
        .at("third", Place::Chassis("three".to_owned()))
        .uplink("eth1", 9000)
}

/// The first byte selects what stands before the rest: nothing, a VLAN tag, or the headers of a tunnel, whose own
/// eight bytes are part of the input if the byte is odd.
fn frame_of(kind: u8, rest: &[u8]) -> Vec<u8> {
    let (name, from) = match kind / 2 % 5 {
        0 => return rest.to_vec(),
        1 => ("vxlan", host(2)),
        2 => ("geneve", host(3)),
        3 => ("gre", host(2)),
        _ => ("vxlan", host(9)),
    };
    let packet = TunnelPacket::from(from, name, KEY, rest);
    match rest.split_first_chunk::<8>() {
        Some((header, inner)) if kind % 2 == 1 => {
            TunnelPacket { inner: inner.to_vec(), ..packet }.encode_with(header)
        }
        _ => packet.encode(),
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, rest) = input;
    if rest.len() > 1600 {
        return;
    }
    SWITCH.with_borrow_mut(|switch| {
        let frame = frame_of(kind, rest);
        if frame.is_empty() {
            return;
        }
        for (link, sent) in switch.send_from_outside("eth1", &frame) {
            assert_ne!(link, "eth1", "{frame:02x?} went back to the wire as {sent:02x?}");
        }
        assert_eq!(switch.outlet.arena.free_chunk_count(), switch.outlet.arena.chunk_count());
    });
});
