//! Frames that do not fit one packet buffer, end to end.

use std::sync::atomic::Ordering;

use super::transport::{address, converse, tcp};
use testkit::frame::{Frame, tci};
use testkit::lab::{FoundBy, Lab, Port, in_lab};
use testkit::wait::until;

/// With 50 datagrams the longest ones fill an MTU of 9000.
const JUMBO_STEP: u16 = 182;

/// Sets the MTU of both ends of a guest's link.
pub fn set_mtu(lab: &Lab, port: &Port, mtu: u32) {
    lab.netns(port).ip(&format!("link set dev eth0 mtu {mtu}"));
    lab.host.ip(&format!("link set dev {} mtu {mtu}", lab.dev(port)));
}

#[test]
fn jumbo_frames_pass_with_and_without_a_tag() {
    in_lab(|lab| {
        let (one, two) = (lab.network(), lab.network());
        let vm = lab.guest("vm", one);
        let sub = lab.subport(&vm, 100, two);
        let (peer1, peer2) = (lab.guest("peer1", one), lab.guest("peer2", two));
        for port in [&vm, &peer1, &peer2] {
            set_mtu(lab, port, 9000);
        }
        lab.start();

        let vlan = lab.vlan_interface(&sub, 0);
        for dev in [vlan.clone(), format!("{vlan}p")] {
            lab.netns(&vm).ip(&format!("link set dev {dev} mtu 9000"));
        }
        let plain = (address(lab, &vm, "eth0", 1), address(lab, &peer1, "eth0", 2));
        for ip in plain.1 {
            converse(lab.netns(&vm), lab.netns(&peer1), ip, JUMBO_STEP);
        }
        // The two networks have the same addresses.
        lab.netns(&vm).ip("address flush dev eth0");
        let tagged = (address(lab, &vm, &vlan, 1), address(lab, &peer2, "eth0", 2));
        for ip in tagged.1 {
            converse(lab.netns(&vm), lab.netns(&peer2), ip, JUMBO_STEP);
        }
        for ip in tagged.0 {
            converse(lab.netns(&peer2), lab.netns(&vm), ip, JUMBO_STEP);
        }
    });
}

#[test]
fn what_a_receiver_cannot_take_is_dropped_and_counted() {
    in_lab(|lab| {
        let one = lab.network();
        let (jumbo, usual) = (lab.guest("jumbo", one), lab.guest("usual", one));
        set_mtu(lab, &jumbo, 9000);
        lab.start();

        let frame = Frame::new(jumbo.mac, usual.mac);
        let fits = [frame.carrying(&[7; 1500]), frame.carrying(&[7; 1500]).tagged(tci(0, false, 9))];
        lab.exchange(&jumbo, &fits, &[(&usual, &fits)]);
        let too_long = [1505, 1800, 3000, 9000].map(|len| frame.carrying(&vec![7; len]));
        lab.exchange(&jumbo, &too_long, &[]);
        until("4 dispatch_too_long at usual", || {
            (lab.daemon().dropped(&usual.id(), "dispatch_too_long") == 4).then_some(())
        });

        // A change of the MTU is followed while we run: now one of them fits.
        set_mtu(lab, &usual, 2000);
        let arrived = lab.capture(&usual).arrived();
        let before = arrived.load(Ordering::Relaxed);
        until("a frame of 1814 bytes to pass", || {
            lab.sender(&jumbo).send(&too_long[1].bytes());
            (arrived.load(Ordering::Relaxed) > before).then_some(())
        });
    });
}

#[test]
fn an_mtu_that_cannot_be_served_is_refused() {
    in_lab(|lab| {
        let one = lab.network();
        let huge = lab.guest("huge", one);
        set_mtu(lab, &huge, 40_000);
        lab.launch();
        lab.daemon().wait_for_problem("its MTU 40000 is too large: packets of up to 28");
        set_mtu(lab, &huge, 9000);
        lab.wait_until_all_up();
    });
}

/// Behind a macvlan in generic mode a guest keeps its TSO: its packets of up to 64 KiB come as they are.
#[test]
fn packets_that_a_guest_leaves_to_others_to_cut_are_cut() {
    in_lab(|lab| {
        let one = lab.network();
        let guest = lab.guest_found_by(FoundBy::Attach, "guest", one);
        let peer = lab.guest("peer", one);
        let (id, dev) = (guest.id(), lab.dev(&guest).to_owned());
        lab.host.ip(&format!("link add link {dev} name generic0 type macvlan mode passthru"));
        // IPv6 asks for neighbours by multicast, which a macvlan would keep to itself.
        lab.host.ip("link set dev generic0 allmulticast on up");
        for argument in &mut lab.arguments {
            *argument = argument.replace(&format!("{id}={dev}"), &format!("{id}=generic0"));
        }
        lab.arguments.extend(["--port".to_owned(), format!("{id}:allow_generic=true")]);
        lab.start();
        let features = lab.netns(&guest).command("ethtool").args(["-k", "eth0"]).output().unwrap();
        let features = String::from_utf8(features.stdout).unwrap();
        assert!(features.contains("tcp-segmentation-offload: on"), "the guest has no TSO: {features}");

        address(lab, &guest, "eth0", 1);
        for ip in address(lab, &peer, "eth0", 2) {
            tcp(lab.netns(&guest), lab.netns(&peer), ip);
        }
    });
}
