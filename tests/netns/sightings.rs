//! Mistakes of guests in `trunkpath show` and `trace`, until the record permits their frames.

use serde_json::{Value, json};

use testkit::frame::{Frame, tci};
use testkit::records;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;

/// The row of `trunkpath show WHAT` about `port`.
fn row(testbed: &Testbed, what: &str, port: &Port) -> Value {
    let rows = testbed.daemon().show(what).unwrap();
    rows.as_array().unwrap().iter().find(|row| row["lport"] == port.id()).unwrap().clone()
}

/// What [`row`] lists under `key`, without the time.
fn listed(testbed: &Testbed, what: &str, port: &Port, key: &str) -> Value {
    let mut listed = row(testbed, what, port)[key].take();
    for seen in listed.as_array_mut().unwrap() {
        assert!(seen.as_object_mut().unwrap().remove("seconds_ago").unwrap().is_u64());
    }
    listed
}

fn wait_for_no_problem(testbed: &Testbed) {
    until("no problem", || testbed.daemon().show("problems")?.as_array()?.is_empty().then_some(()));
}

#[test]
fn a_guest_on_a_wrong_vlan_is_reported_until_it_has_that_vlan() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let _right = testbed.subport(&vm, 100, two);
        let missing = testbed.spare_port(&vm, 101, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();
        wait_for_no_problem(testbed);

        let untagged = Frame::new(missing.mac, peer2.mac);
        let frame = untagged.tagged(tci(0, false, 101));
        let broadcast = Frame::new(missing.mac, [0xff; 6]).tagged(tci(0, false, 101));
        testbed.exchange(&vm, &[frame.clone(), broadcast.clone()], &[(&peer1, &broadcast)]);
        testbed.daemon().wait_for_problem("vm sends VLAN 101 (2 frames, ");
        testbed.daemon().wait_for_problem("it has 100; such frames stay on its own network");
        let expected = json!([{"tpid": "0x8100", "vid": 101, "frames": 2}]);
        assert_eq!(listed(testbed, "ports", &vm, "unknown_tags"), expected);
        let destination = records::text(peer2.mac);
        let trace = ["trace", "--port", &vm.id(), "--vlan", "101", "--dst", &destination];
        let answer = testbed.files.ask(&trace);
        assert!(
            answer.contains("VLAN 101 is no segmentation of vm (it has 100): the frame stays vm's own"),
            "{answer}"
        );
        assert_eq!(listed(testbed, "ports", &vm, "unknown_tags"), expected, "a trace counts nothing");

        testbed.files.nb(&["add-subport", &vm.id(), &missing.id(), "101"], "");
        testbed.wait_for_vid(&missing, 101);
        wait_for_no_problem(testbed);
        testbed.exchange(&vm, &frame, &[(&peer2, &untagged)]);
        assert_eq!(listed(testbed, "ports", &vm, "unknown_tags"), json!([]));
    });
}

#[test]
fn a_refused_mac_address_is_reported_until_the_port_may_use_it() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let peer = testbed.guest("peer", two);
        testbed.start();
        testbed.secure(&sub, &["10.0.0.1"]);
        let other = [2, 0, 0, 0, 0, 0x66];
        let frame = Frame::new(other, peer.mac);
        let tagged = frame.tagged(tci(0, false, 100));
        until("the address to be refused", || {
            testbed.sender(&vm).send(&tagged.bytes());
            (testbed.daemon().dropped(&sub.id(), "antispoof_source_mac") > 0).then_some(())
        });
        testbed.daemon().wait_for_problem(&format!("sub sends as {} (", records::text(other)));
        testbed.daemon().wait_for_problem(&format!("it may use {} ->", records::text(sub.mac)));
        let refused = listed(testbed, "subports", &sub, "refused_macs");
        assert_eq!(refused[0]["mac"], records::text(other));
        assert_eq!(refused[0]["frames"], testbed.daemon().dropped(&sub.id(), "antispoof_source_mac"));
        let (tag, other) = (["--vlan", "100", "--src"], records::text(other));
        let answer = testbed.files.ask(
            &[&["trace", "--port", &vm.id(), "--dst", &records::text(peer.mac)][..], &tag, &[&other]]
                .concat(),
        );
        assert!(answer.contains(&format!("{other} is no address of sub")), "{answer}");

        let mut record: Value =
            serde_json::from_str(&testbed.files.nb(&["get", "lport", &sub.id()], "")).unwrap();
        record["allowed_address_pairs"] = json!([{"ip_address": "10.0.0.2", "mac_address": other}]);
        testbed.files.nb(&["put", "lport", &record.to_string()], "");
        wait_for_no_problem(testbed);
        testbed.forget_arrived(&vm);
        testbed.exchange(&vm, &tagged, &[(&peer, &frame)]);
    });
}
