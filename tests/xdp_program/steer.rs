//! The program of ports.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags};
use trunkpath::xsk::XskSocket;

use super::{XDP_DROP, XDP_PASS, XDP_REDIRECT, counters, socket, verdict};
use skeleton::{SteerSkel, SteerSkelBuilder};

super::skeleton!("/steer.skel.rs");

/// Frames at the limits of the program: the shortest one of a test run, and tagged ones of several kinds.
fn frames() -> Vec<Vec<u8>> {
    let tagged = |tpids: &[u16]| {
        let tags = tpids.iter().flat_map(|tpid| [(*tpid >> 8) as u8, *tpid as u8, 0xa0, 100]);
        [0x02; 12].into_iter().chain(tags).chain([0x08, 0x00]).chain(0..46).collect::<Vec<u8>>()
    };
    vec![vec![0xff; 14], tagged(&[]), tagged(&[0x8100]), tagged(&[0x88a8, 0x8100]), tagged(&[0x8100; 3])]
}

/// Runs every frame through the program and returns its verdicts.
fn answers(steer: &SteerSkel<'_>) -> Vec<u32> {
    frames().iter().map(|frame| verdict(&steer.progs.steer_generic, frame)).collect()
}

/// Redirected, passed and dropped frames.
fn outcomes(steer: &SteerSkel<'_>) -> [u64; 3] {
    counters(&steer.maps.counters)
}

fn with_program(no_socket_action: u32, test: impl FnOnce(&SteerSkel<'_>)) {
    let mut object = MaybeUninit::uninit();
    let mut open = SteerSkelBuilder::default().open(&mut object).expect("the object");
    let rodata = open.maps.rodata_data.as_deref_mut().expect("its constants");
    rodata.no_socket_action = no_socket_action;
    open.progs.steer.set_autoload(false);
    test(&open.load().expect("the verifier's consent"));
}

#[test]
fn without_a_socket_the_policy_drop_keeps_frames_from_the_host() {
    if !testkit::root::is_root("without_a_socket_the_policy_drop_keeps_frames_from_the_host") {
        return;
    }
    with_program(XDP_DROP, |steer| {
        assert_eq!(answers(steer), [XDP_DROP; 5]);
        assert_eq!(outcomes(steer), [0, 0, 5]);
    });
}

#[test]
fn without_a_socket_the_policy_pass_leaves_frames_to_the_kernel() {
    if !testkit::root::is_root("without_a_socket_the_policy_pass_leaves_frames_to_the_kernel") {
        return;
    }
    with_program(XDP_PASS, |steer| {
        assert_eq!(answers(steer), [XDP_PASS; 5]);
        assert_eq!(outcomes(steer), [0, 5, 0]);
    });
}

#[test]
fn with_a_socket_frames_go_there_whatever_the_policy() {
    if !testkit::root::is_root("with_a_socket_frames_go_there_whatever_the_policy") {
        return;
    }
    let socket = socket();
    for policy in [XDP_DROP, XDP_PASS] {
        with_program(policy, |steer| {
            let fd = socket.as_fd().as_raw_fd().to_ne_bytes();
            steer.maps.sockets.update(&0_u32.to_ne_bytes(), &fd, MapFlags::ANY).expect("room for one queue");
            assert_eq!(answers(steer), [XDP_REDIRECT; 5]);
            assert_eq!(outcomes(steer), [5, 0, 0]);
        });
    }
    XskSocket::close_all(vec![socket]);
}
