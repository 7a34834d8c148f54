//! Daemons are killed and links deleted; all ports are served again afterwards.

use testkit::frame::{Frame, tci};
use testkit::stream::Stream;
use testkit::testbed::{Port, Testbed, on_testbed};

pub const VID: u16 = tci(0, false, 100);

/// A VLAN-aware guest, and a peer on the network of its subport.
pub struct Pair {
    pub vm: Port,
    pub sub: Port,
    pub peer: Port,
}

impl Pair {
    pub fn new(testbed: &mut Testbed) -> Self {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (_peer1, peer) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        Self { vm, sub, peer }
    }

    /// Exchanges a frame each way.
    pub fn assert_served(&self, testbed: &mut Testbed) {
        let (up, down) = (Frame::new(self.sub.mac, self.peer.mac), Frame::new(self.peer.mac, self.sub.mac));
        testbed.exchange(&self.vm, &up.tagged(VID), &[(&self.peer, &up)]);
        testbed.exchange(&self.peer, &down, &[(&self.vm, &down.tagged(VID))]);
    }
}

#[test]
fn killed_daemon_with_policy_pass_leaves_nothing_and_starts_again() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.arguments.extend(["--port".to_owned(), "*:no_socket=pass".to_owned()]);
        testbed.start();
        pair.assert_served(testbed);
        assert_eq!(testbed.files.pins(), [""; 0], "with policy pass nothing is pinned");
        for _ in 0..3 {
            // Under traffic: its frames are lost while no daemon runs, and do not disturb the start.
            let traffic =
                Stream::new(testbed.sender(&pair.vm), Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID));
            let traffic = traffic.start();
            testbed.take_daemon().kill();
            testbed.wait_for_no_programs();
            testbed.relaunch();
            testbed.wait_until_all_up();
            drop(traffic.stop());
        }
        testbed.forget_arrived(&pair.vm);
        pair.assert_served(testbed);
    });
}

#[test]
fn four_capabilities_are_enough() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start_as_nobody();
        pair.assert_served(testbed);
    });
}

#[test]
fn link_goes_down_and_up() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        let vm = testbed.dev(&pair.vm).to_owned();
        for _ in 0..2 {
            testbed.host.ip(&format!("link set dev {vm} down"));
            testbed.daemon().wait_until_up("ports", 2);
            testbed.daemon().wait_until_up("subports", 0);
            testbed.host.ip(&format!("link set dev {vm} up"));
            testbed.daemon().wait_until_up("ports", 3);
            testbed.daemon().wait_until_up("subports", 1);
            pair.assert_served(testbed);
        }
        // The guest's end is down: no carrier on the host's end.
        testbed.netns(&pair.vm).ip("link set eth0 down");
        testbed.daemon().wait_until_up("ports", 2);
        testbed.netns(&pair.vm).ip("link set eth0 up");
        testbed.daemon().wait_until_up("ports", 3);
        testbed.recapture(&pair.vm);
        pair.assert_served(testbed);
    });
}

#[test]
fn link_is_deleted_and_made_again_under_traffic() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        let (peer3, peer4) = {
            let three = testbed.network();
            (testbed.guest("peer3", three), testbed.guest("peer4", three))
        };
        testbed.start();
        // Other ports are not affected; only frames to the missing link are lost.
        let steady = Frame::new(peer3.mac, peer4.mac);
        let others = Stream::new(testbed.sender(&peer3), steady.clone()).start();
        let lost = Stream::new(testbed.sender(&pair.peer), Frame::new(pair.peer.mac, pair.sub.mac)).start();
        for _ in 0..3 {
            let dev = testbed.dev(&pair.vm).to_owned();
            testbed.host.ip(&format!("link delete dev {dev}"));
            testbed.daemon().wait_until_up("ports", 4);
            testbed.daemon().wait_until_up("subports", 0);
            testbed.plug(&pair.vm);
            testbed.daemon().wait_until_up("ports", 5);
            testbed.daemon().wait_until_up("subports", 1);
        }
        drop(lost.stop());
        others.stop().assert_arrived(testbed.capture(&peer4), &steady);
        testbed.forget_arrived(&pair.peer);
        pair.assert_served(testbed);
    });
}
