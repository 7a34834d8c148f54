//! A guest whose frames cause very many others: guests of another network lose at most one frame in a
//! hundred.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use super::long_frames::set_mtu;
use super::storm::storm;
use testkit::frame::{Frame, Mac};
use testkit::stream::payload;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;

const JUMBO_MTU: u32 = 28_000;
/// The smallest MTU that every IPv4 host supports.
const SMALL_MTU: u32 = 576;

/// Size of a long packet in bytes.
const PACKET: u16 = 27_900;

const GROUP: Mac = [0x33, 0x33, 0, 0, 0, 1];
const RECEIVERS: u16 = 8;

/// Frames of the bystander, and the pause between two. The ring of a veth has 256 entries: it is full after a
/// quarter of a second without a turn.
const FRAMES: u64 = 2000;
const PAUSE: Duration = Duration::from_millis(1);

/// Minimum number of frames of the storm.
const STORM: u64 = 1000;

/// Two bystanders on one network; on another one a guest that sends long frames, a guest with the usual MTU,
/// one with a small one, and one with many subports.
struct VmPorts {
    greedy: Port,
    usual: Port,
    small: Port,
    many: Port,
    sender: Port,
    receiver: Port,
}

fn ports(testbed: &mut Testbed) -> VmPorts {
    let (one, two) = (testbed.network(), testbed.network());
    let [greedy, usual, small, many] =
        ["greedy", "usual", "small", "many"].map(|name| testbed.guest(name, one));
    for vid in 0..RECEIVERS {
        testbed.subport(&many, 100 + vid, one);
    }
    let (sender, receiver) = (testbed.guest("sender", two), testbed.guest("receiver", two));
    for (port, mtu) in [(&greedy, JUMBO_MTU), (&many, JUMBO_MTU), (&small, SMALL_MTU)] {
        set_mtu(testbed, port, mtu);
    }
    testbed.start();
    VmPorts { greedy, usual, small, many, sender, receiver }
}

/// While the greedy guest floods `frame`, the bystanders lose at most one frame in a hundred.
fn assert_bystanders_served(frame: impl Fn(&VmPorts) -> Frame) {
    on_testbed(|testbed| {
        let ports = ports(testbed);
        let arrived = testbed.capture(&ports.receiver).arrived();
        let sender = testbed.sender(&ports.sender);
        let template = Frame::new(ports.sender.mac, ports.receiver.mac);
        storm(testbed, &ports.greedy, &frame(&ports), |storm| {
            let mut sent = 0;
            while sent < FRAMES || storm.load(Ordering::Relaxed) < STORM {
                sender.send(&template.carrying(&payload(sent)).bytes());
                sent += 1;
                sleep(PAUSE);
            }
            until("99 of 100 frames of the bystander", || {
                (arrived.load(Ordering::Relaxed) >= sent - sent / 100).then_some(())
            });
        });
        until("the workers to have nothing left to do", || {
            let workers = testbed.daemon().show("workers")?;
            workers.as_array()?.iter().all(|worker| worker["sleeping"] == true).then_some(())
        });
        // The storm is more than a capture has room for.
        for port in [&ports.greedy, &ports.usual, &ports.small, &ports.many] {
            testbed.recapture(port);
        }
        testbed.forget_arrived(&ports.greedy);
    });
}

/// A TCP packet of [`PACKET`] bytes over IPv6, behind destination options of so many bytes.
fn tcp6(options: u16) -> Vec<u8> {
    let header = [&[0x60, 0, 0, 0][..], &(PACKET - 40).to_be_bytes(), &[60, 64], &[0xfd; 32]].concat();
    let mut packet = [&header[..], &[6, u8::try_from(options / 8 - 1).unwrap()]].concat();
    packet.resize(40 + usize::from(options), 0);
    with_tcp(packet)
}

/// A TCP packet of [`PACKET`] bytes over IPv4.
fn tcp4() -> Vec<u8> {
    let header = [&[0x45, 0][..], &PACKET.to_be_bytes(), &[0, 1, 0x40, 0, 64, 6, 0, 0], &[10; 8]].concat();
    with_tcp(header)
}

fn with_tcp(mut packet: Vec<u8>) -> Vec<u8> {
    packet.extend([0, 80, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    packet.resize(usize::from(PACKET), 7);
    packet
}

#[test]
fn bystanders_are_served_beside_long_headers_under_traffic() {
    // 112 segments; 19 full ones would be enough.
    assert_bystanders_served(|ports| Frame {
        ethertype: 0x86dd,
        ..Frame::new(ports.greedy.mac, ports.usual.mac).carrying(&tcp6(1192))
    });
}

#[test]
fn bystanders_are_served_beside_small_segments_under_traffic() {
    assert_bystanders_served(|ports| Frame {
        ethertype: 0x0800,
        ..Frame::new(ports.greedy.mac, ports.small.mac).carrying(&tcp4())
    });
}

#[test]
fn bystanders_are_served_beside_long_multicasts_under_traffic() {
    assert_bystanders_served(|ports| {
        Frame::new(ports.greedy.mac, GROUP).carrying(&vec![7; usize::from(PACKET)])
    });
}

#[test]
fn bystanders_are_served_beside_short_multicasts_under_traffic() {
    assert_bystanders_served(|ports| Frame::new(ports.greedy.mac, GROUP));
}
