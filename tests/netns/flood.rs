//! Floods: every port of the network except the sender gets a copy, with its own tag only.

use testkit::frame::{BROADCAST, Frame, Mac, tci};
use testkit::testbed::on_testbed;

/// Address of the all-nodes group of IPv6.
const MULTICAST: Mac = [0x33, 0x33, 0, 0, 0, 1];

const fn vid(vid: u16) -> u16 {
    tci(0, false, vid)
}

#[test]
fn flood_with_one_subport() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let sub = testbed.subport(&vm, 100, two);
        let (b, c) = (testbed.guest("b", two), testbed.guest("c", two));
        testbed.start();

        // From the subport: untagged to all others, not back.
        let frames = [BROADCAST, MULTICAST].map(|dst| Frame::new(sub.mac, dst));
        let sent = frames.clone().map(|frame| frame.tagged(tci(5, true, 100)));
        testbed.exchange(&vm, &sent, &[(&b, &frames), (&c, &frames)]);

        // To the subport: its copy is tagged, the other one is not.
        let frames = [BROADCAST, MULTICAST].map(|dst| Frame::new(b.mac, dst));
        let tagged = frames.clone().map(|frame| frame.tagged(vid(100)));
        testbed.exchange(&b, &frames, &[(&c, &frames), (&vm, &tagged)]);
    });
}

#[test]
fn flood_with_two_subports_of_one_parent() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let (x, _y) = (testbed.subport(&vm, 100, two), testbed.subport(&vm, 101, two));
        let (b, c) = (testbed.guest("b", two), testbed.guest("c", two));
        testbed.start();

        // One copy for each subport on the same link, each with its own tag only.
        let frame = Frame::new(b.mac, BROADCAST);
        testbed.exchange(
            &b,
            &frame,
            &[(&vm, &[frame.tagged(vid(100)), frame.tagged(vid(101))]), (&c, &frame)],
        );

        // From one subport: the other one gets it by the same link, the sender does not.
        let frame = Frame::new(x.mac, BROADCAST);
        let sent = frame.tagged(tci(3, false, 100));
        testbed.exchange(&vm, &sent, &[(&b, &frame), (&c, &frame), (&vm, &frame.tagged(tci(3, false, 101)))]);
    });
}

#[test]
fn flood_of_a_frame_that_keeps_its_tag() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let _subs = (testbed.subport(&vm, 100, two), testbed.subport(&vm, 101, two));
        let (b, c) = (testbed.guest("b", two), testbed.guest("c", two));
        testbed.start();

        let frame = Frame::new(b.mac, BROADCAST).tagged(tci(2, false, 300));
        let to_vm = [100, 101].map(|vid| frame.tagged(tci(2, false, vid)));
        testbed.exchange(&b, &frame, &[(&vm, &to_vm), (&c, &frame)]);
    });
}

#[test]
fn flood_of_a_parent_with_a_subport_beside_it() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (vm, peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let sub = testbed.subport(&vm, 100, one);
        testbed.start();

        let (parent, subport) = (Frame::new(vm.mac, BROADCAST), Frame::new(sub.mac, BROADCAST));
        testbed.exchange(
            &vm,
            &[parent.clone(), subport.tagged(vid(100))],
            &[(&peer, &[parent.clone(), subport.clone()]), (&vm, &[parent.tagged(vid(100)), subport])],
        );
    });
}
