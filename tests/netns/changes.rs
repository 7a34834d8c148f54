//! Changes of the records while frames flow: no frame of an untouched port is lost.

use testkit::frame::{Frame, tci};
use testkit::lab::in_lab;
use testkit::stream::{Running, Stream};

const fn vid(vid: u16) -> u16 {
    tci(0, false, vid)
}

#[test]
fn subports_come_change_and_go_under_traffic() {
    in_lab(|lab| {
        let (one, two, three) = (lab.network(), lab.network(), lab.network());
        let (vm, peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let steady = lab.subport(&vm, 100, two);
        let touched = lab.spare_port(&vm, 200, three);
        let (peer2, peer3) = (lab.guest("peer2", two), lab.guest("peer3", three));
        let other3 = lab.guest("other3", three);
        lab.start();

        // Untouched: the parent both ways, and its other subport both ways.
        let (up, down) = (Frame::new(vm.mac, peer1.mac), Frame::new(peer1.mac, vm.mac));
        let (sub_up, sub_down) = (Frame::new(steady.mac, peer2.mac), Frame::new(peer2.mac, steady.mac));
        let streams = [
            Stream::new(lab.sender(&vm), up.clone()),
            Stream::new(lab.sender(&vm), sub_up.tagged(vid(100))),
            Stream::new(lab.sender(&peer1), down.clone()),
            Stream::new(lab.sender(&peer2), sub_down.clone()),
        ];
        let running = streams.map(Stream::start);

        let (parent, child) = (vm.id(), touched.id());
        for round in 0..5 {
            for vid in [200 + round, 300 + round] {
                lab.files.nb(&["add-subport", &parent, &child, &vid.to_string()], "");
                lab.daemon().wait_until_up("subports", 2);
                lab.files.nb(&["del-subport", &parent, &child], "");
                lab.daemon().wait_until_up("subports", 1);
            }
        }

        let [up_sent, sub_up_sent, down_sent, sub_down_sent] = running.map(Running::stop);
        up_sent.assert_arrived(lab.capture(&peer1), &up);
        sub_up_sent.assert_arrived(lab.capture(&peer2), &sub_up);
        Stream::assert_all_arrived(
            lab.capture(&vm),
            &[(&down_sent, &down), (&sub_down_sent, &sub_down.tagged(vid(100)))],
        );
        // Nothing of it came to the third network.
        lab.exchange(&other3, &[], &[]);
        drop(peer3);
    });
}

#[test]
fn added_changed_and_removed_subport() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let (vm, _peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let sub = lab.spare_port(&vm, 100, two);
        let (peer2, _other2) = (lab.guest("peer2", two), lab.guest("other2", two));
        lab.start();
        let (up, down) = (Frame::new(sub.mac, peer2.mac), Frame::new(peer2.mac, sub.mac));
        let (parent, child) = (vm.id(), sub.id());

        // Not yet: the frame is the parent's, and on its network nobody has that address.
        lab.exchange(&vm, &up.tagged(vid(100)), &[]);
        lab.exchange(&peer2, &down, &[]);

        lab.files.nb(&["add-subport", &parent, &child, "100"], "");
        lab.daemon().wait_until_up("subports", 1);
        lab.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
        lab.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(100)))]);

        // Another VID, by an update of the one record.
        let old = lab.files.nb(&["list", "child_port_segmentation", "--json"], "");
        let mut record: serde_json::Value = serde_json::from_str::<Vec<_>>(&old).unwrap().remove(0);
        record["segmentation_id"] = 4094.into();
        lab.files.nb(&["put", "child_port_segmentation", &record.to_string()], "");
        lab.wait_for_vid(&sub, 4094);
        lab.exchange(&vm, &[up.tagged(vid(100)), up.tagged(vid(4094))], &[(&peer2, &up)]);
        lab.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(4094)))]);

        lab.files.nb(&["del-subport", &parent, &child], "");
        lab.daemon().wait_until_up("subports", 0);
        lab.exchange(&vm, &[up.tagged(vid(100)), up.tagged(vid(4094))], &[]);
        lab.exchange(&peer2, &down, &[]);
    });
}

#[test]
fn disabled_port_is_silent_until_enabled() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let (vm, _peer1) = (lab.guest("vm", one), lab.guest("peer1", one));
        let sub = lab.subport(&vm, 100, two);
        let (peer2, _other2) = (lab.guest("peer2", two), lab.guest("other2", two));
        lab.start();
        let (up, down) = (Frame::new(sub.mac, peer2.mac), Frame::new(peer2.mac, sub.mac));

        lab.set_enabled(&sub, false);
        lab.daemon().wait_until_up("subports", 0);
        lab.exchange(&vm, &up.tagged(vid(100)), &[]);
        lab.exchange(&peer2, &down, &[]);

        lab.set_enabled(&sub, true);
        lab.daemon().wait_until_up("subports", 1);
        lab.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
        lab.exchange(&peer2, &down, &[(&vm, &down.tagged(vid(100)))]);
    });
}

#[test]
fn subport_follows_its_parent() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let vm = lab.guest("vm", one);
        let sub = lab.subport(&vm, 100, two);
        let (_peer1, peer2) = (lab.guest("peer1", one), lab.guest("peer2", two));
        let _other2 = lab.guest("other2", two);
        lab.start();
        let up = Frame::new(sub.mac, peer2.mac);

        lab.set_enabled(&vm, false);
        lab.daemon().wait_until_up("subports", 0);
        lab.set_enabled(&vm, true);
        lab.daemon().wait_until_up("subports", 1);
        lab.exchange(&vm, &up.tagged(vid(100)), &[(&peer2, &up)]);
    });
}
