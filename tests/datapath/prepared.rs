//! A frame that waits for another worker while the tables change leaves as the newest tables have it, or is dropped.

use trunkpath::datapath::{DropReason, forward};
use trunkpath::tables::LinkSlot;

use testkit::frames::{Checksum, DOT1Q, Packet, frame, payload, tagged, tci};
use testkit::scenario::{PEER_B, Scenario, WEB};
use testkit::switch::Switch;

/// The place of peer-b's link in the list of [`Scenario::vm_and_peers`].
const PEER_B_LINK: LinkSlot = LinkSlot(2);

/// Sends `frame` into the link of peer-b by the tables of `scenario`, and prepares it again by those of `newer`.
fn across(scenario: &Scenario, newer: &Scenario, frame: &[u8]) -> Result<Vec<u8>, DropReason> {
    let mut switch = Switch::new(scenario);
    let mut received = switch.outlet.arena.take().unwrap();
    received.clear();
    assert!(received.extend([frame], || switch.outlet.arena.take()));
    forward([received], PEER_B_LINK, &switch.tables, &mut switch.outlet);
    let (to, mut waiting) = switch.outlet.sent.pop().expect("a frame that was sent");
    let prepared = switch.outlet.prepared.unwrap();
    switch.follow(newer);
    let to = switch.tables.egress(to).unwrap();
    assert!(prepared.is_for(to.port));
    prepared.renew(&mut waiting, to, &switch.tables).map(|()| waiting.to_vec())
}

/// A frame from peer-b to the subport of the VM, with a tag of its own.
fn to_web() -> Vec<u8> {
    tagged(WEB, PEER_B, &[tci(6, 0, 7)])
}

fn with_vid(mut scenario: Scenario, vid: u16) -> Scenario {
    scenario.segmentations.get_mut("s1").unwrap().vid = vid;
    scenario
}

#[test]
fn the_tags_are_those_of_the_newest_tables() {
    let scenario = Scenario::vm_and_peers();
    for vid in [100, 101, 4094] {
        let arrived = across(&scenario, &with_vid(Scenario::vm_and_peers(), vid), &to_web());
        assert_eq!(arrived, Ok(tagged(WEB, PEER_B, &[tci(6, 0, vid), tci(6, 0, 7)])));
    }
    // A level deeper, and a level up: the priority is that of the frame as it came in.
    let nested = Scenario::vm_and_peers().port("mid", 3, "a", [2, 0, 0, 0, 0, 3]);
    let nested = nested.segmentation("s1", "mid", 100, "web").segmentation("s2", "vm", 200, "mid");
    let deep = tagged(WEB, PEER_B, &[tci(6, 0, 200), tci(6, 0, 100), tci(6, 0, 7)]);
    assert_eq!(across(&scenario, &nested, &to_web()), Ok(deep));
    let shallow = tagged(WEB, PEER_B, &[tci(6, 0, 100), tci(6, 0, 7)]);
    assert_eq!(across(&nested, &scenario, &to_web()), Ok(shallow));
}

#[test]
fn a_receiver_that_left_the_network_gets_nothing_of_it() {
    let scenario = Scenario::vm_and_peers();
    let mut moved = Scenario::vm_and_peers();
    moved.port_mut("web").network = "a".into();
    assert_eq!(across(&scenario, &moved, &to_web()), Err(DropReason::DispatchNetworkLeft));
    let mut down = Scenario::vm_and_peers();
    down.port_mut("web").enabled = false;
    assert_eq!(across(&scenario, &down, &to_web()), Err(DropReason::DispatchNetworkLeft));
    // Another network may have the slot of one that is gone.
    let mut replaced = Scenario::vm_and_peers().network("c", 3);
    for port in ["web", "peer-b"] {
        replaced.port_mut(port).network = "c".into();
    }
    assert_eq!(across(&scenario, &replaced, &to_web()), Err(DropReason::DispatchNetworkLeft));
}

#[test]
fn a_tag_that_means_a_subport_by_now_is_refused() {
    let scenario = Scenario::vm_and_peers();
    let nested = Scenario::vm_and_peers().port("inner", 3, "a", [2, 0, 0, 0, 0, 3]);
    let nested = nested.segmentation("s2", "web", 7, "inner");
    assert_eq!(across(&scenario, &nested, &to_web()), Err(DropReason::DispatchTagRefused));
}

#[test]
fn what_is_too_long_by_now_is_dropped() {
    let scenario = Scenario::vm_and_peers();
    let other = frame(WEB, PEER_B, &[], &[&payload()[..], &[0; 1300]].concat());
    let tcp = Packet::new(false, 6, Checksum::Complete, &[7; 1300]);
    let tcp = frame(WEB, PEER_B, &[], &tcp.bytes());
    for sent in [other, tcp] {
        let arrived =
            [&sent[..12], &DOT1Q.to_be_bytes(), &tci(0, 0, 100).to_be_bytes(), &sent[12..]].concat();
        assert_eq!(across(&scenario, &Scenario::vm_and_peers().mtu("vm", 1400), &sent), Ok(arrived));
        let smaller = Scenario::vm_and_peers().mtu("vm", 1280);
        assert_eq!(across(&scenario, &smaller, &sent), Err(DropReason::DispatchTooLong));
    }
}
