//! Frames for all: every port of the network but the sender, each with its own tag and no other's.

use testkit::frame::{BROADCAST, Frame, Mac, tci};
use testkit::lab::in_lab;

/// IPv6's all-nodes group.
const MULTICAST: Mac = [0x33, 0x33, 0, 0, 0, 1];

const fn vid(vid: u16) -> u16 {
    tci(0, false, vid)
}

#[test]
fn flood_with_one_subport() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let (vm, _peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let sub = lab.subport(&vm, 100, two);
        let (b, c) = (lab.guest("b", two), lab.guest("c", two));
        lab.start();

        // Out of the subport: untagged to all others, not back.
        let frames = [BROADCAST, MULTICAST].map(|dst| Frame::new(sub.mac, dst));
        let sent = frames.clone().map(|frame| frame.tagged(tci(5, true, 100)));
        lab.exchange(&vm, &sent, &[(&b, &frames), (&c, &frames)]);

        // Into the subport: its copy is tagged, the other one is not.
        let frames = [BROADCAST, MULTICAST].map(|dst| Frame::new(b.mac, dst));
        let tagged = frames.clone().map(|frame| frame.tagged(vid(100)));
        lab.exchange(&b, &frames, &[(&c, &frames), (&vm, &tagged)]);
    });
}

#[test]
fn flood_with_two_subports_of_one_parent() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let (vm, _peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let (x, _y) = (lab.subport(&vm, 100, two), lab.subport(&vm, 101, two));
        let (b, c) = (lab.guest("b", two), lab.guest("c", two));
        lab.start();

        // One copy for each subport on the one link, neither with the other's tag.
        let frame = Frame::new(b.mac, BROADCAST);
        lab.exchange(&b, &frame, &[(&vm, &[frame.tagged(vid(100)), frame.tagged(vid(101))]), (&c, &frame)]);

        // From one subport: the other one gets it by the same link, the sender does not.
        let frame = Frame::new(x.mac, BROADCAST);
        let sent = frame.tagged(tci(3, false, 100));
        lab.exchange(&vm, &sent, &[(&b, &frame), (&c, &frame), (&vm, &frame.tagged(tci(3, false, 101)))]);
    });
}

#[test]
fn flood_of_a_frame_that_keeps_its_tag() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let (vm, _peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let _subs = (lab.subport(&vm, 100, two), lab.subport(&vm, 101, two));
        let (b, c) = (lab.guest("b", two), lab.guest("c", two));
        lab.start();

        let frame = Frame::new(b.mac, BROADCAST).tagged(tci(2, false, 300));
        let to_vm = [100, 101].map(|vid| frame.tagged(tci(2, false, vid)));
        lab.exchange(&b, &frame, &[(&vm, &to_vm), (&c, &frame)]);
    });
}

#[test]
fn flood_of_a_parent_with_a_subport_beside_it() {
    in_lab(|lab| {
        let one = lab.network();
        let (vm, peer) = (lab.guest("vm", one), lab.guest("peer", one));
        let sub = lab.subport(&vm, 100, one);
        lab.start();

        let (parent, child) = (Frame::new(vm.mac, BROADCAST), Frame::new(sub.mac, BROADCAST));
        lab.exchange(
            &vm,
            &[parent.clone(), child.tagged(vid(100))],
            &[(&peer, &[parent.clone(), child.clone()]), (&vm, &[parent.tagged(vid(100)), child])],
        );
    });
}
