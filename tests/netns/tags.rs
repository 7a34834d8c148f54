//! Tags through the switch: stripped, pushed, kept and rejected.

use testkit::frame::{Frame, STAG, tci};
use testkit::testbed::{Port, Testbed, on_testbed};

/// The tag of VID `vid` with nothing else in it.
const fn vid(vid: u16) -> u16 {
    tci(0, false, vid)
}

/// A VLAN-aware guest with one subport, and a peer on each network.
struct Trunk {
    vm: Port,
    sub: Port,
    peer1: Port,
    peer2: Port,
}

/// `vm` is on network 1, and by VLAN 100 on network 2.
fn trunk(testbed: &mut Testbed) -> Trunk {
    let (one, two) = (testbed.network(), testbed.network());
    let vm = testbed.guest("vm", one);
    let sub = testbed.subport(&vm, 100, two);
    let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
    Trunk { vm, sub, peer1, peer2 }
}

/// The frame in several lengths from the shortest to the longest. A kernel drops a tagged frame with fewer
/// than two bytes behind its `EtherType`.
fn of_many_lengths(frame: &Frame) -> [Frame; 5] {
    [2, 45, 46, 47, 1500].map(|length| frame.carrying(&vec![0xa5; length]))
}

#[test]
fn tag_of_a_subport_is_stripped() {
    on_testbed(|testbed| {
        let Trunk { vm, sub, peer2, .. } = trunk(testbed);
        testbed.start();
        let frame = Frame::new(sub.mac, peer2.mac);
        let frames = of_many_lengths(&frame);
        testbed.exchange(&vm, &frames.clone().map(|frame| frame.tagged(vid(100))), &[(&peer2, &frames)]);
    });
}

#[test]
fn tag_of_a_subport_is_pushed() {
    on_testbed(|testbed| {
        let Trunk { vm, sub, peer2, .. } = trunk(testbed);
        testbed.start();
        let frame = Frame::new(peer2.mac, sub.mac);
        let frames = of_many_lengths(&frame);
        testbed.exchange(&peer2, &frames, &[(&vm, &frames.clone().map(|frame| frame.tagged(vid(100))))]);
    });
}

#[test]
fn untagged_frame_of_a_parent_stays_on_its_network() {
    on_testbed(|testbed| {
        let Trunk { vm, peer1, peer2, .. } = trunk(testbed);
        testbed.start();
        let frame = Frame::new(vm.mac, peer1.mac);
        testbed.exchange(&vm, &[frame.clone(), Frame::new(vm.mac, peer2.mac)], &[(&peer1, &frame)]);
        let frame = Frame::new(peer1.mac, vm.mac);
        testbed.exchange(&peer1, &frame, &[(&vm, &frame)]);
    });
}

#[test]
fn tag_without_segmentation_passes_as_is() {
    on_testbed(|testbed| {
        let Trunk { vm, peer1, .. } = trunk(testbed);
        testbed.start();
        let frames =
            [vid(200), tci(7, true, 101), vid(4095)].map(|tci| Frame::new(vm.mac, peer1.mac).tagged(tci));
        testbed.exchange(&vm, &frames, &[(&peer1, &frames)]);
        // Towards the parent as well.
        let frames = [vid(200), tci(7, true, 4095)].map(|tci| Frame::new(peer1.mac, vm.mac).tagged(tci));
        testbed.exchange(&peer1, &frames, &[(&vm, &frames)]);
    });
}

#[test]
fn vid_0_is_the_parents_own() {
    on_testbed(|testbed| {
        let Trunk { vm, peer1, .. } = trunk(testbed);
        testbed.start();
        let frames = [tci(0, false, 0), tci(6, true, 0)].map(|tci| Frame::new(vm.mac, peer1.mac).tagged(tci));
        testbed.exchange(&vm, &frames, &[(&peer1, &frames)]);
    });
}

#[test]
fn only_an_802_1q_tag_is_a_subports() {
    on_testbed(|testbed| {
        let Trunk { vm, sub, peer1, peer2 } = trunk(testbed);
        testbed.start();
        let frame = Frame::new(vm.mac, peer1.mac).behind(STAG, vid(100));
        let stray = Frame::new(sub.mac, peer2.mac).behind(STAG, vid(100));
        testbed.exchange(&vm, &[frame.clone(), stray], &[(&peer1, &frame)]);
    });
}

#[test]
fn only_the_outer_tag_selects_a_subport() {
    on_testbed(|testbed| {
        let Trunk { vm, sub, peer1, peer2 } = trunk(testbed);
        testbed.start();
        let inner = Frame::new(sub.mac, peer2.mac).tagged(tci(3, false, 200));
        let twice = Frame::new(sub.mac, peer2.mac).tagged(vid(100));
        let service = Frame::new(sub.mac, peer2.mac).behind(STAG, vid(100));
        let stripped = [inner, twice, service];
        testbed.exchange(&vm, &stripped.clone().map(|frame| frame.tagged(vid(100))), &[(&peer2, &stripped)]);
        // VID 100 behind VID 200 selects no subport.
        let frame = Frame::new(vm.mac, peer1.mac).tagged(vid(100)).tagged(vid(200));
        testbed.exchange(&vm, &frame, &[(&peer1, &frame)]);
    });
}

#[test]
fn pushed_tag_stacks_onto_a_tag() {
    on_testbed(|testbed| {
        let Trunk { vm, sub, peer2, .. } = trunk(testbed);
        testbed.start();
        let frame = Frame::new(peer2.mac, sub.mac);
        let tagged = [frame.tagged(vid(300)), frame.tagged(vid(100)), frame.tagged(vid(1)).tagged(vid(2))];
        testbed.exchange(&peer2, &tagged, &[(&vm, &tagged.clone().map(|frame| frame.tagged(vid(100))))]);
    });
}

#[test]
fn priority_survives() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, other) = (testbed.guest("vm", one), testbed.guest("other", one));
        let (a, b) = (testbed.subport(&vm, 100, two), testbed.subport(&other, 4094, two));
        let peer = testbed.guest("peer", two);
        testbed.start();

        // From tag to tag: every priority, with and without DEI.
        let frame = Frame::new(a.mac, b.mac);
        let all: Vec<(u16, bool)> = (0..8).flat_map(|pcp| [(pcp, false), (pcp, true)]).collect();
        let as_vid = |vid| all.iter().map(|&(pcp, dei)| frame.tagged(tci(pcp, dei, vid))).collect::<Vec<_>>();
        testbed.exchange(&vm, &as_vid(100), &[(&other, &as_vid(4094))]);

        // Without a tag the priority is 0; a tag that stays keeps its own.
        let frame = Frame::new(peer.mac, a.mac);
        let kept = frame.tagged(tci(5, true, 300));
        let pushed = [frame.tagged(vid(100)), kept.tagged(tci(5, true, 100))];
        testbed.exchange(&peer, &[frame, kept], &[(&vm, &pushed)]);
    });
}

#[test]
fn two_subports_of_one_parent_hairpin() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let (a, b) = (testbed.subport(&vm, 100, two), testbed.subport(&vm, 101, two));
        testbed.start();
        let there = Frame::new(a.mac, b.mac);
        let back = Frame::new(b.mac, a.mac);
        testbed.exchange(
            &vm,
            &[there.tagged(tci(5, true, 100)), back.tagged(vid(101))],
            &[(&vm, &[there.tagged(tci(5, true, 101)), back.tagged(vid(100))])],
        );
    });
}

#[test]
fn parent_and_subport_on_one_network_hairpin() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (vm, _peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let sub = testbed.subport(&vm, 100, one);
        testbed.start();
        let (down, up) = (Frame::new(vm.mac, sub.mac), Frame::new(sub.mac, vm.mac));
        let expected = [down.tagged(vid(100)), up.clone()];
        testbed.exchange(&vm, &[down, up.tagged(vid(100))], &[(&vm, &expected)]);
    });
}

#[test]
fn one_mac_on_two_networks() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport_with_mac(Some(vm.mac), &vm, 100, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();
        assert_eq!(vm.mac, sub.mac);

        let (to1, to2) = (Frame::new(vm.mac, peer1.mac), Frame::new(vm.mac, peer2.mac));
        testbed.exchange(&vm, &[to1.clone(), to2.tagged(vid(100))], &[(&peer1, &to1), (&peer2, &to2)]);
        let from1 = Frame::new(peer1.mac, vm.mac);
        testbed.exchange(&peer1, &from1, &[(&vm, &from1)]);
        let from2 = Frame::new(peer2.mac, vm.mac);
        testbed.exchange(&peer2, &from2, &[(&vm, &from2.tagged(vid(100)))]);
    });
}

#[test]
fn subport_of_a_subport() {
    on_testbed(|testbed| {
        let (one, two, three) = (testbed.network(), testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let upper = testbed.subport(&vm, 100, two);
        let lower = testbed.subport(&upper, 200, three);
        let (peer2, peer3) = (testbed.guest("peer2", two), testbed.guest("peer3", three));
        testbed.start();

        let to3 = Frame::new(lower.mac, peer3.mac);
        // VID 201 selects no subport, so the frame belongs to the first subport, with its tag.
        let to2 = Frame::new(upper.mac, peer2.mac).tagged(vid(201));
        testbed.exchange(
            &vm,
            &[to3.tagged(vid(200)).tagged(vid(100)), to2.tagged(vid(100))],
            &[(&peer3, &to3), (&peer2, &to2)],
        );
        let from3 = Frame::new(peer3.mac, lower.mac);
        testbed.exchange(&peer3, &from3, &[(&vm, &from3.tagged(vid(200)).tagged(vid(100)))]);
    });
}

#[test]
fn accelerated_tag_selects_a_subport() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, other) = (testbed.guest("vm", one), testbed.guest("other", one));
        let (a, b) = (testbed.subport(&vm, 100, two), testbed.subport(&other, 101, two));
        let peer2 = testbed.guest("peer2", two);
        testbed.start();
        let eth0_100 = testbed.vlan_interface(&a, 5);

        let (stripped, moved) = (Frame::new(a.mac, peer2.mac), Frame::new(a.mac, b.mac));
        testbed.send_by(&vm, &eth0_100, &[stripped.clone(), moved.clone()]);
        testbed.expect(&vm, &[(&peer2, &stripped), (&other, &moved.tagged(tci(5, false, 101)))]);
    });
}

#[test]
fn tag_behind_an_accelerated_tag_is_not_smuggled() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let victim = testbed.subport(&vm, 10, two);
        let peer2 = testbed.guest("peer2", two);
        // A VLAN link of the guest without a segmentation.
        let own = testbed.spare_port(&vm, 77, one);
        testbed.start();
        let eth0_77 = testbed.vlan_interface(&own, 0);

        // VID 10 is in the frame; VID 77 is in the metadata, and outermost on the wire.
        let smuggled = Frame::new(victim.mac, peer2.mac).tagged(vid(10));
        let passed = Frame::new(vm.mac, peer1.mac).tagged(vid(10));
        testbed.send_by(&vm, &eth0_77, &[smuggled, passed.clone()]);
        testbed.expect(&vm, &[(&peer1, &passed.tagged(vid(77)))]);
    });
}
