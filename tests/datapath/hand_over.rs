//! A packet in the queue to another worker while the tables change: it leaves by the newest tables, or is
//! dropped.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use trunkpath::tables::LinkSlot;
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::{Admit, Fit, Flood, Transmit};

use testkit::frames::{BROADCAST, Checksum, DOT1Q, Packet, frame, payload, tagged, tci};
use testkit::scenario::{PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::strategies::{Hex, any_frame, scenario};
use testkit::switch::Switch;

/// Slot of peer-b's link in [`Scenario::vm_and_peers`].
const PEER_B_LINK: LinkSlot = LinkSlot(2);

type Drops = BTreeMap<(Option<String>, DropReason), u64>;

/// The VM's link with a worker of its own.
fn two_workers(scenario: &Scenario) -> Scenario {
    scenario.clone().worker("vm", 1)
}

/// Sends `frame` into the link of peer-b by the tables of `scenario`; the other worker continues by those of
/// `newer`.
fn across(scenario: &Scenario, newer: &Scenario, frame: &[u8]) -> (Vec<Vec<u8>>, Drops) {
    let mut switch = Switch::new(&two_workers(scenario));
    switch.receive_on(PEER_B_LINK, frame);
    assert_eq!((switch.outlet.waiting.len(), switch.outlet.sent.len()), (1, 0));
    switch.follow(&two_workers(newer));
    switch.take_waiting();
    (switch.sent().into_iter().map(|(_, bytes)| bytes).collect(), switch.drops())
}

fn arrives(scenario: &Scenario, newer: &Scenario, sent: &[u8], arrived: Vec<u8>) {
    assert_eq!(across(scenario, newer, sent), (vec![arrived], Drops::new()));
}

fn is_dropped(scenario: &Scenario, newer: &Scenario, sent: &[u8], reason: DropReason) {
    let drops = Drops::from([((Some("web".to_owned()), reason), 1)]);
    assert_eq!(across(scenario, newer, sent), (vec![], drops));
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
        let arrived = tagged(WEB, PEER_B, &[tci(6, 0, vid), tci(6, 0, 7)]);
        arrives(&scenario, &with_vid(Scenario::vm_and_peers(), vid), &to_web(), arrived);
    }
    // A level deeper, and a level up: the priority is that of the received frame.
    let nested = Scenario::vm_and_peers().port("mid", 3, "a", [2, 0, 0, 0, 0, 3]);
    let nested = nested.segmentation("s1", "mid", 100, "web").segmentation("s2", "vm", 200, "mid");
    let deep = tagged(WEB, PEER_B, &[tci(6, 0, 200), tci(6, 0, 100), tci(6, 0, 7)]);
    arrives(&scenario, &nested, &to_web(), deep);
    let shallow = tagged(WEB, PEER_B, &[tci(6, 0, 100), tci(6, 0, 7)]);
    arrives(&nested, &scenario, &to_web(), shallow);
}

#[test]
fn a_receiver_that_left_the_network_gets_nothing_of_it() {
    let scenario = Scenario::vm_and_peers();
    let mut moved = Scenario::vm_and_peers();
    moved.port_mut("web").network = "a".into();
    is_dropped(&scenario, &moved, &to_web(), DropReason::Admit(Admit::NetworkLeft));
    let mut down = Scenario::vm_and_peers();
    down.port_mut("web").enabled = false;
    is_dropped(&scenario, &down, &to_web(), DropReason::Admit(Admit::NetworkLeft));
    // Another network may have the slot of a deleted one.
    let mut replaced = Scenario::vm_and_peers().network("c", 3);
    for port in ["web", "peer-b"] {
        replaced.port_mut(port).network = "c".into();
    }
    is_dropped(&scenario, &replaced, &to_web(), DropReason::Admit(Admit::NetworkLeft));
}

#[test]
fn a_tag_that_selects_a_subport_by_now_is_dropped() {
    let scenario = Scenario::vm_and_peers();
    let nested = Scenario::vm_and_peers().port("inner", 3, "a", [2, 0, 0, 0, 0, 3]);
    let nested = nested.segmentation("s2", "web", 7, "inner");
    is_dropped(&scenario, &nested, &to_web(), DropReason::Admit(Admit::TagRefused));
}

#[test]
fn what_is_too_long_by_now_is_dropped_or_cut() {
    let scenario = Scenario::vm_and_peers();
    let smaller = Scenario::vm_and_peers().mtu("vm", 1280);
    let other = frame(WEB, PEER_B, &[], &[&payload()[..], &[0; 1300]].concat());
    let tcp = Packet::new(false, 6, Checksum::Complete, &[7; 1300]);
    let tcp = frame(WEB, PEER_B, &[], &tcp.bytes());
    for sent in [&other, &tcp] {
        let arrived =
            [&sent[..12], &DOT1Q.to_be_bytes(), &tci(0, 0, 100).to_be_bytes(), &sent[12..]].concat();
        arrives(&scenario, &Scenario::vm_and_peers().mtu("vm", 1400), sent, arrived);
    }
    is_dropped(&scenario, &smaller, &other, DropReason::Fit(Fit::TooLong));
    let (segments, drops) = across(&scenario, &smaller, &tcp);
    assert_eq!((segments.len(), drops), (2, Drops::new()));
}

/// The sender of a packet may have been deleted, and another port may have its slot.
#[test]
fn a_deleted_sender_is_not_the_port_that_has_its_slot() {
    let scenario = Scenario::vm_and_peers();
    let mut replaced = Scenario::vm_and_peers();
    replaced.ports.remove("peer-b");
    replaced = replaced.port("peer-c", 12, "b", [2, 0, 0, 0, 0, 0x0c]);
    replaced.links.retain(|link| link.port != "peer-b");
    arrives(&scenario, &replaced, &tagged(WEB, PEER_B, &[]), tagged(WEB, PEER_B, &[100]));
}

/// vm and two subports of it on network `a`, whose link has a worker of its own, and peer-a.
fn crowd() -> Scenario {
    let mac = |last| [2, 0, 0, 0, 0, last];
    Scenario::vm_and_peers()
        .port("sub-1", 21, "a", mac(21))
        .port("sub-2", 22, "a", mac(22))
        .segmentation("s21", "vm", 21, "sub-1")
        .segmentation("s22", "vm", 22, "sub-2")
        .port("peer-c", 12, "a", mac(0x0c))
        .link("peer-c")
        .worker("vm", 1)
}

const PEER_A_LINK: LinkSlot = LinkSlot(1);

#[test]
fn a_flood_hands_one_packet_to_each_worker_with_receivers() {
    let mut switch = Switch::new(&crowd());
    switch.receive_on(PEER_A_LINK, &tagged(BROADCAST, PEER_A, &[]));
    assert_eq!(switch.outlet.waiting.len(), 1);
    assert_eq!(switch.sent(), [("peer-c".to_owned(), tagged(BROADCAST, PEER_A, &[]))]);
    switch.take_waiting();
    let mut arrived: Vec<_> = switch.sent().into_iter().map(|(_, bytes)| bytes).collect();
    arrived.sort();
    let mut expected = [&[][..], &[21], &[22]].map(|tags| tagged(BROADCAST, PEER_A, tags));
    expected.sort();
    assert_eq!(arrived, expected);
    assert_eq!(switch.drops(), Drops::new());
}

/// The receivers of a waiting flood are the present ports of the network.
#[test]
fn a_flood_reaches_the_present_ports_of_the_network() {
    let mut switch = Switch::new(&crowd());
    switch.receive_on(PEER_A_LINK, &tagged(BROADCAST, PEER_A, &[]));
    switch.sent();
    let mut newer = crowd();
    newer.segmentations.remove("s21");
    newer.port_mut("sub-2").network = "b".into();
    switch.follow(&newer);
    switch.take_waiting();
    assert_eq!(switch.sent(), [("vm".to_owned(), tagged(BROADCAST, PEER_A, &[]))]);
}

#[test]
fn each_receiver_of_a_flood_without_room_counts_a_drop() {
    let drops = |reason: DropReason| -> Drops {
        ["vm", "sub-1", "sub-2"].map(|port| ((Some(port.to_owned()), reason), 1)).into()
    };
    let mut switch = Switch::new(&crowd());
    switch.outlet.waiting.shrink_to_fit();
    assert_eq!(switch.send("peer-a", &tagged(BROADCAST, PEER_A, &[])).len(), 1);
    assert_eq!(switch.drops(), drops(Transmit::HandoverFull.into()));

    let mut switch = Switch::with_chunks(&crowd(), 1);
    assert_eq!(switch.send("peer-a", &tagged(BROADCAST, PEER_A, &[])).len(), 1);
    assert_eq!(switch.drops(), drops(Flood::NoChunk.into()));
    assert_eq!(switch.outlet.arena.free_chunk_count(), 1);
}

#[test]
fn a_unicast_without_room_is_dropped_at_its_receiver() {
    let mut switch = Switch::new(&crowd());
    switch.outlet.waiting.shrink_to_fit();
    assert_eq!(switch.send("peer-a", &tagged(VM, PEER_A, &[])), []);
    assert_eq!(switch.drops(), Drops::from([((Some("vm".to_owned()), Transmit::HandoverFull.into()), 1)]));
}

proptest! {
    /// The worker of a link makes no difference to the output, except for the order of copies.
    #[test]
    fn workers_together_do_what_one_does(
        scenario in scenario(),
        workers in vec(0..2_usize, 9),
        inputs in vec((any::<prop::sample::Index>(), any_frame()), 1..20),
    ) {
        let mut spread = scenario.clone();
        for (link, worker) in spread.links.iter_mut().zip(workers) {
            link.worker = worker;
        }
        let (mut one, mut two) = (Switch::new(&scenario), Switch::new(&spread));
        for (link, Hex(bytes)) in &inputs {
            let link = LinkSlot(link.index(scenario.links.len()) as u16);
            let [alone, together] = [&mut one, &mut two].map(|switch| {
                let mut sent = switch.send_on(link, bytes);
                sent.sort();
                sent
            });
            prop_assert_eq!(alone, together);
            prop_assert_eq!(one.drops(), two.drops());
        }
    }
}
