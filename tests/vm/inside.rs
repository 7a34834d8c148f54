//! Tests that run inside a VM, in the copy of this program in its image: the tests in `uplinks.rs` and
//! `nics.rs` start them. Their links are given by environment variables.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use testkit::netns::Netns;
use testkit::uplink::{Uplink, ifindex};
use testkit::wire::{Capture, Sender};
use trunkpath::kernel::{ProgramLoader, TagPlace, UplinkProgram};
use trunkpath::types::{UplinkSelection, VlanId};
use trunkpath::xsk::{Arena, ChunkPool, LONGEST_NIC_FRAME_BYTES, SocketMode, XskSocket};

/// This program, by a name that is the same for each build.
pub fn program() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (link, new) = (folder.join("inside-vm"), folder.join(format!("inside-vm-{}", std::process::id())));
    fs::hard_link(env::current_exe().unwrap(), &new).unwrap();
    // Tests run concurrently.
    fs::rename(&new, &link).unwrap();
    // A link to the same file stays, by the rule of rename(2).
    drop(fs::remove_file(&new));
    link.to_str().unwrap().to_owned()
}

const CHUNKS: usize = 4096;
const LOCAL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const VID: u16 = 100;

/// Limit for an event of an emulated machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this test runs in a VM"))
}

fn selection() -> UplinkSelection {
    UplinkSelection {
        ipv4: Some(LOCAL),
        vids: BTreeSet::from([VlanId::new(VID).unwrap()]),
        ..UplinkSelection::default()
    }
}

fn frame(ethernet_type: &[u8], payload: &[u8], len: usize) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 9, 9, 0x02, 0, 0, 0, 8, 8];
    frame.extend(ethernet_type);
    frame.extend(payload);
    let filler = (0..=u8::MAX).cycle();
    let missing = len.saturating_sub(frame.len());
    frame.extend(filler.take(missing));
    frame
}

/// A packet to the tunnel endpoint, with the port of VXLAN.
fn tunnel(len: usize) -> Vec<u8> {
    let total = (len - 14) as u16;
    let mut ip = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2];
    ip.extend(LOCAL.octets());
    ip.extend([0x20, 0, 0x12, 0xb5]);
    frame(&[8, 0], &ip, len)
}

fn tagged(vid: u16, len: usize) -> Vec<u8> {
    frame(&[0x81, 0, 0xa0 | (vid >> 8) as u8, vid as u8, 0x88, 0xb5], &[], len)
}

/// Frames of the host: a packet that is no tunnel's, and another VID.
fn of_the_host() -> [Vec<u8>; 2] {
    [frame(&[0x88, 0xb6], &[], 100), tagged(200, 100)]
}

#[test]
#[ignore = "runs in a VM: vm::uplinks starts it"]
fn holds_uplinks() {
    let arena = Arena::umem(CHUNKS).unwrap();
    let links = variable("UPLINKS");
    let open = links.split_whitespace().zip(0_u16..);
    let held: Vec<_> = open
        .map(|(link, id)| {
            Uplink::open(arena, (link, TagPlace::BesideFrame), SocketMode::Copy, id, &selection())
        })
        .collect();
    println!("HELD {}", held.len());
    loop {
        thread::park();
    }
}

fn mode() -> SocketMode {
    if variable("MODE") == "copy" { SocketMode::Copy } else { SocketMode::ZeroCopy }
}

/// Holds the uplink `NIC` until its sockets are unbound, because it was removed.
#[test]
#[ignore = "runs in a VM: vm::nics starts it"]
fn holds_a_nic() {
    let nic = variable("NIC");
    testkit::command::run(&format!("ip link set {nic} up"));
    let arena = Arena::umem(CHUNKS).unwrap();
    let uplink = Uplink::open(arena, (&nic, TagPlace::InFrame), mode(), 0, &selection());
    println!("HELD {nic}");
    while uplink.sockets.iter().all(XskSocket::is_bound) {
        thread::sleep(Duration::from_millis(20));
    }
    println!("UNBOUND {nic}");
    uplink.close();
    println!("CLOSED {nic}");
}

/// Exchanges frames between the uplink `NIC` and the link `PEER` on the same cable.
#[test]
#[ignore = "runs in a VM: vm::nics starts it"]
fn exchanges_frames_with_its_peer() {
    let (nic, peer) = (variable("NIC"), variable("PEER"));
    let mtu: usize = variable("MTU").parse().unwrap();
    let mode = mode();
    let arena = Arena::umem(CHUNKS).unwrap();
    let mut pool = ChunkPool::new(arena);
    let far = Netns::new("far");
    testkit::command::run(&format!("ip link set {peer} netns {}", far.name()));
    far.ip(&format!("link set {peer} mtu {mtu} up"));
    testkit::command::run(&format!("ip link set {nic} mtu {mtu} up"));

    // Twice: chunks of the first sockets are used again while the NIC stops.
    for first_id in [0, 64] {
        let mut uplink = Uplink::open(arena, (&nic, TagPlace::InFrame), mode, first_id, &selection());
        assert!(uplink.sockets.iter().all(|socket| socket.mode() == mode));
        let sender = Sender::new(&far, &peer);
        wait_for_carrier(&sender, &mut uplink, &mut pool);

        let longest = mtu + 14;
        // A peer that strips the tag of a shorter frame pads the rest.
        let lens = (64..=longest).step_by(longest / 16).chain([longest]);
        let sent: Vec<_> = lens.flat_map(|len| [tunnel(len), tagged(VID, len)]).collect();
        let before = uplink.counters();
        let mut received = vec![];
        for frames in sent.chunks(8) {
            for frame in frames.iter().chain(&of_the_host()) {
                sender.send(frame);
            }
            received.extend(uplink.receive(&mut pool, frames.len()));
        }
        received.sort();
        let mut expected = sent.clone();
        expected.sort();
        assert!(received == expected, "received {} of {} as they were sent", received.len(), sent.len());
        let after = uplink.counters();
        assert_eq!(after.provider - before.provider, sent.len() as u64 / 2);
        assert_eq!(after.redirected - before.redirected, sent.len() as u64);
        assert!(after.passed - before.passed >= 2 * (sent.len() as u64 / 8), "{before:?} {after:?}");
        assert_eq!(after.dropped, before.dropped);

        let capture = Capture::start(&far, &peer);
        uplink.send(&mut pool, &sent);
        let mut arrived = vec![];
        capture.through(|frame| {
            arrived.extend(sent.contains(&frame.to_vec()).then(|| frame.to_vec()));
            arrived.len() == sent.len()
        });
        // The peer distributes them to several queues.
        arrived.sort();
        assert!(arrived == expected, "another frame arrived than was sent, or one arrived twice");
        capture.stop();
        uplink.close();
        println!("EXCHANGED {} {}", sent.len(), mode.name());
    }
    drop(pool);
    assert_eq!(arena.free_chunk_count(), CHUNKS, "all chunks are back");
    assert!(mtu + 14 <= LONGEST_NIC_FRAME_BYTES);
}

/// Waits until the cable carries frames after the program was attached, which resets some NICs.
fn wait_for_carrier(sender: &Sender, uplink: &mut Uplink, pool: &mut ChunkPool) {
    let deadline = Instant::now() + PATIENCE;
    let mut frames = VecDeque::new();
    while frames.is_empty() {
        assert!(Instant::now() < deadline, "no carrier: {:?}", uplink.counters());
        sender.offer(&tagged(VID, 64));
        thread::sleep(Duration::from_millis(100));
        uplink.poll(pool, &mut frames);
    }
    // Frames of other attempts may still be on the way.
    thread::sleep(Duration::from_millis(300));
    uplink.poll(pool, &mut frames);
}

/// Prints why the link `NIC` is not accepted as an uplink.
#[test]
#[ignore = "runs in a VM: vm::nics starts it"]
fn is_refused_in_words() {
    let nic = variable("NIC");
    let attached = UplinkProgram::attach(&mut ProgramLoader::default(), ifindex(&nic), 1, TagPlace::InFrame);
    println!("REFUSED {}", attached.expect_err("no native XDP"));
}
