//! Changes of the records under traffic: no frame of an unchanged port is lost.

use testkit::frame::{Frame, tci};
use testkit::stream::{Running, Stream};
use testkit::testbed::on_testbed;

const fn vid(vid: u16) -> u16 {
    tci(0, false, vid)
}

#[test]
fn subports_come_change_and_go_under_traffic() {
    on_testbed(|testbed| {
        let (one, two, three) = (testbed.network(), testbed.network(), testbed.network());
        let (vm, peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let steady = testbed.subport(&vm, 100, two);
        let changed = testbed.spare_port(&vm, 200, three);
        let (peer2, peer3) = (testbed.guest("peer2", two), testbed.guest("peer3", three));
        let other3 = testbed.guest("other3", three);
        testbed.start();

        // Not changed: the parent and its other subport, both ways.
        let (up, down) = (Frame::new(vm.mac, peer1.mac), Frame::new(peer1.mac, vm.mac));
        let (sub_up, sub_down) = (Frame::new(steady.mac, peer2.mac), Frame::new(peer2.mac, steady.mac));
        let streams = [
            Stream::new(testbed.sender(&vm), up.clone()),
            Stream::new(testbed.sender(&vm), sub_up.tagged(vid(100))),
            Stream::new(testbed.sender(&peer1), down.clone()),
            Stream::new(testbed.sender(&peer2), sub_down.clone()),
        ];
        let running = streams.map(Stream::start);

        let (parent, subport) = (vm.id(), changed.id());
        for round in 0..5 {
            for vid in [200 + round, 300 + round] {
                testbed.files.nb(&["add-subport", &parent, &subport, &vid.to_string()], "");
                testbed.daemon().wait_until_up("subports", 2);
                testbed.files.nb(&["del-subport", &parent, &subport], "");
                testbed.daemon().wait_until_up("subports", 1);
            }
        }

        let [up_sent, sub_up_sent, down_sent, sub_down_sent] = running.map(Running::stop);
        up_sent.assert_arrived(testbed.capture(&peer1), &up);
        sub_up_sent.assert_arrived(testbed.capture(&peer2), &sub_up);
        Stream::assert_all_arrived(
            testbed.capture(&vm),
            &[(&down_sent, &down), (&sub_down_sent, &sub_down.tagged(vid(100)))],
        );
        // Nothing reached the third network.
        testbed.exchange(&other3, &[], &[]);
        drop(peer3);
    });
}

#[test]
fn added_changed_and_removed_subport() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let sub = testbed.spare_port(&vm, 100, two);
        let (peer2, _other2) = (testbed.guest("peer2", two), testbed.guest("other2", two));
        testbed.start();
        let (up, down) = (Frame::new(sub.mac, peer2.mac), Frame::new(peer2.mac, sub.mac));
        let (parent, subport) = (vm.id(), sub.id());

        // Before the segmentation exists, the frame belongs to the parent, on whose network the destination
        // is unknown.
        testbed.exchange(&vm, &up.tagged(vid(100)), &[]);
        testbed.exchange(&peer2, &down, &[]);

        testbed.files.nb(&["add-subport", &parent, &subport, "100"], "");
        testbed.daemon().wait_until_up("subports", 1);
        testbed.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
        testbed.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(100)))]);

        // Another VID, by an update of the record.
        let old = testbed.files.nb(&["list", "child_port_segmentation", "--json"], "");
        let mut record: serde_json::Value = serde_json::from_str::<Vec<_>>(&old).unwrap().remove(0);
        record["segmentation_id"] = 4094.into();
        testbed.files.nb(&["put", "child_port_segmentation", &record.to_string()], "");
        testbed.wait_for_vid(&sub, 4094);
        testbed.exchange(&vm, &[up.tagged(vid(100)), up.tagged(vid(4094))], &[(&peer2, &up)]);
        testbed.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(4094)))]);

        testbed.files.nb(&["del-subport", &parent, &subport], "");
        testbed.daemon().wait_until_up("subports", 0);
        testbed.exchange(&vm, &[up.tagged(vid(100)), up.tagged(vid(4094))], &[]);
        testbed.exchange(&peer2, &down, &[]);
    });
}

#[test]
fn disabled_port_is_silent_until_enabled() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, _peer1) = (testbed.guest("vm", one), testbed.guest("peer1", one));
        let sub = testbed.subport(&vm, 100, two);
        let (peer2, _other2) = (testbed.guest("peer2", two), testbed.guest("other2", two));
        testbed.start();
        let (up, down) = (Frame::new(sub.mac, peer2.mac), Frame::new(peer2.mac, sub.mac));

        testbed.set_enabled(&sub, false);
        testbed.daemon().wait_until_up("subports", 0);
        testbed.exchange(&vm, &up.tagged(vid(100)), &[]);
        testbed.exchange(&peer2, &down, &[]);

        testbed.set_enabled(&sub, true);
        testbed.daemon().wait_until_up("subports", 1);
        testbed.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
        testbed.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(100)))]);
    });
}

#[test]
fn subport_follows_its_parent() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (_peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        let _other2 = testbed.guest("other2", two);
        testbed.start();
        let up = Frame::new(sub.mac, peer2.mac);

        testbed.set_enabled(&vm, false);
        testbed.daemon().wait_until_up("subports", 0);
        testbed.set_enabled(&vm, true);
        testbed.daemon().wait_until_up("subports", 1);
        testbed.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
    });
}
