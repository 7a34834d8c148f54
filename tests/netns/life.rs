//! Daemons are killed and links taken away, and all is well again when they are back.

use testkit::frame::{Frame, tci};
use testkit::lab::{Lab, Port, in_lab};
use testkit::stream::Stream;

pub const VID: u16 = tci(0, false, 100);

/// A VLAN-aware guest, and a peer on the network of its subport.
pub struct Pair {
    pub vm: Port,
    pub sub: Port,
    pub peer: Port,
}

impl Pair {
    pub fn new(lab: &mut Lab) -> Self {
        let (one, two) = (lab.network(), lab.network());
        let vm = lab.guest("vm", one);
        let sub = lab.subport(&vm, 100, two);
        let (_peer1, peer) = (lab.guest("peer1", one), lab.guest("peer2", two));
        Self { vm, sub, peer }
    }

    /// A frame each way.
    pub fn assert_served(&self, lab: &mut Lab) {
        let (up, down) = (Frame::new(self.sub.mac, self.peer.mac), Frame::new(self.peer.mac, self.sub.mac));
        lab.exchange(&self.vm, &up.tagged(VID), &[(&self.peer, &up)]);
        lab.exchange(&self.peer, &down, &[(&self.vm, &down.tagged(VID))]);
    }
}

#[test]
fn killed_daemon_with_policy_pass_leaves_nothing_and_starts_again() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.arguments.extend(["--port".to_owned(), "*:no_socket=pass".to_owned()]);
        lab.start();
        pair.assert_served(lab);
        assert_eq!(lab.files.pins(), [""; 0], "with policy pass nothing is pinned");
        for _ in 0..3 {
            // Under traffic: its frames are lost while nobody serves, and in nobody's way after that.
            let traffic =
                Stream::new(lab.sender(&pair.vm), Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID));
            let traffic = traffic.start();
            lab.take_daemon().kill();
            lab.wait_for_no_programs();
            lab.relaunch();
            lab.wait_until_all_up();
            drop(traffic.stop());
        }
        lab.forget_arrived(&pair.vm);
        pair.assert_served(lab);
    });
}

#[test]
fn four_capabilities_are_enough() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start_as_nobody();
        pair.assert_served(lab);
    });
}

#[test]
fn link_goes_down_and_up() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        let vm = lab.dev(&pair.vm).to_owned();
        for _ in 0..2 {
            lab.host.ip(&format!("link set dev {vm} down"));
            lab.daemon().wait_until_up("ports", 2);
            lab.daemon().wait_until_up("subports", 0);
            lab.host.ip(&format!("link set dev {vm} up"));
            lab.daemon().wait_until_up("ports", 3);
            lab.daemon().wait_until_up("subports", 1);
            pair.assert_served(lab);
        }
        // The guest's own end: no carrier on ours.
        lab.netns(&pair.vm).ip("link set eth0 down");
        lab.daemon().wait_until_up("ports", 2);
        lab.netns(&pair.vm).ip("link set eth0 up");
        lab.daemon().wait_until_up("ports", 3);
        lab.recapture(&pair.vm);
        pair.assert_served(lab);
    });
}

#[test]
fn link_is_deleted_and_made_again_under_traffic() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        let (peer3, peer4) = {
            let three = lab.network();
            (lab.guest("peer3", three), lab.guest("peer4", three))
        };
        lab.start();
        // Others go on, and frames to the link that is not there are nobody's loss but theirs.
        let steady = Frame::new(peer3.mac, peer4.mac);
        let others = Stream::new(lab.sender(&peer3), steady.clone()).start();
        let lost = Stream::new(lab.sender(&pair.peer), Frame::new(pair.peer.mac, pair.sub.mac)).start();
        for _ in 0..3 {
            let dev = lab.dev(&pair.vm).to_owned();
            lab.host.ip(&format!("link delete dev {dev}"));
            lab.daemon().wait_until_up("ports", 4);
            lab.daemon().wait_until_up("subports", 0);
            lab.plug(&pair.vm);
            lab.daemon().wait_until_up("ports", 5);
            lab.daemon().wait_until_up("subports", 1);
        }
        drop(lost.stop());
        others.stop().assert_arrived(lab.capture(&peer4), &steady);
        lab.forget_arrived(&pair.peer);
        pair.assert_served(lab);
    });
}
