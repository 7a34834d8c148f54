//! Frames that need several chunks, end to end.

use std::sync::atomic::Ordering;

use super::transport::{address, converse, tcp};
use testkit::frame::{Frame, tci};
use testkit::testbed::{FoundBy, Port, Testbed, on_testbed};
use testkit::wait::until;

/// With 50 datagrams the longest ones fill an MTU of 9000.
const JUMBO_STEP: u16 = 182;

/// Sets the MTU of both ends of a guest's link.
pub fn set_mtu(testbed: &Testbed, port: &Port, mtu: u32) {
    testbed.netns(port).ip(&format!("link set dev eth0 mtu {mtu}"));
    testbed.host.ip(&format!("link set dev {} mtu {mtu}", testbed.dev(port)));
}

#[test]
fn jumbo_frames_pass_with_and_without_a_tag() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        for port in [&vm, &peer1, &peer2] {
            set_mtu(testbed, port, 9000);
        }
        testbed.start();

        let vlan = testbed.vlan_interface(&sub, 0);
        for dev in [vlan.clone(), format!("{vlan}p")] {
            testbed.netns(&vm).ip(&format!("link set dev {dev} mtu 9000"));
        }
        let plain = (address(testbed, &vm, "eth0", 1), address(testbed, &peer1, "eth0", 2));
        for ip in plain.1 {
            converse(testbed.netns(&vm), testbed.netns(&peer1), ip, JUMBO_STEP);
        }
        // Both networks have the same addresses.
        testbed.netns(&vm).ip("address flush dev eth0");
        let tagged = (address(testbed, &vm, &vlan, 1), address(testbed, &peer2, "eth0", 2));
        for ip in tagged.1 {
            converse(testbed.netns(&vm), testbed.netns(&peer2), ip, JUMBO_STEP);
        }
        for ip in tagged.0 {
            converse(testbed.netns(&peer2), testbed.netns(&vm), ip, JUMBO_STEP);
        }
    });
}

#[test]
fn frames_too_long_for_a_receiver_are_dropped_and_counted() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (jumbo, usual) = (testbed.guest("jumbo", one), testbed.guest("usual", one));
        set_mtu(testbed, &jumbo, 9000);
        testbed.start();

        let frame = Frame::new(jumbo.mac, usual.mac);
        let fits = [frame.carrying(&[7; 1500]), frame.carrying(&[7; 1500]).tagged(tci(0, false, 9))];
        testbed.exchange(&jumbo, &fits, &[(&usual, &fits)]);
        let too_long = [1505, 1800, 3000, 9000].map(|len| frame.carrying(&vec![7; len]));
        testbed.exchange(&jumbo, &too_long, &[]);
        until("4 fit_too_long at usual", || {
            (testbed.daemon().dropped(&usual.id(), "fit_too_long") == 4).then_some(())
        });

        // The daemon applies a change of the MTU: then one of them fits.
        set_mtu(testbed, &usual, 2000);
        let arrived = testbed.capture(&usual).arrived();
        let before = arrived.load(Ordering::Relaxed);
        until("a frame of 1814 bytes to pass", || {
            testbed.sender(&jumbo).send(&too_long[1].bytes());
            (arrived.load(Ordering::Relaxed) > before).then_some(())
        });
    });
}

#[test]
fn an_mtu_that_is_too_large_is_rejected() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let huge = testbed.guest("huge", one);
        set_mtu(testbed, &huge, 40_000);
        testbed.launch();
        testbed.daemon().wait_for_problem("its MTU 40000 is too large: packets of up to 28");
        set_mtu(testbed, &huge, 9000);
        testbed.wait_until_all_up();
    });
}

/// Behind a macvlan in generic mode a guest keeps TSO: its packets of up to 64 KiB are received unsegmented.
#[test]
fn packets_with_offloaded_segmentation_are_cut() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let guest = testbed.guest_found_by(FoundBy::Attach, "guest", one);
        let peer = testbed.guest("peer", one);
        let (id, dev) = (guest.id(), testbed.dev(&guest).to_owned());
        testbed.host.ip(&format!("link add link {dev} name generic0 type macvlan mode passthru"));
        // IPv6 neighbour discovery uses multicast, which a macvlan would filter.
        testbed.host.ip("link set dev generic0 allmulticast on up");
        for argument in &mut testbed.arguments {
            *argument = argument.replace(&format!("{id}={dev}"), &format!("{id}=generic0"));
        }
        testbed.arguments.extend(["--port".to_owned(), format!("{id}:allow_generic=true")]);
        testbed.start();
        let features = testbed.netns(&guest).command("ethtool").args(["-k", "eth0"]).output().unwrap();
        let features = String::from_utf8(features.stdout).unwrap();
        assert!(features.contains("tcp-segmentation-offload: on"), "the guest has no TSO: {features}");

        address(testbed, &guest, "eth0", 1);
        for ip in address(testbed, &peer, "eth0", 2) {
            tcp(testbed.netns(&guest), testbed.netns(&peer), ip);
        }
    });
}
