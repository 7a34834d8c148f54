//! The program of an uplink on a veth, which stores tags beside frames: which frames it redirects, and as
//! what they arrive.

use std::collections::BTreeSet;
use std::process::Command;

use testkit::command::succeed;
use testkit::frame::{Frame, STAG, tci};
use testkit::netns::{Netns, veth};
use testkit::root::is_root;
use testkit::uplink::Uplink;
use testkit::wire::{Capture, Sender};
use trunkpath::kernel::TagPlace;
use trunkpath::types::{UplinkSelection, VlanId};
use trunkpath::xsk::{Arena, ChunkPool, SocketMode};

const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn selection(has_flat_network: bool) -> UplinkSelection {
    UplinkSelection {
        vids: BTreeSet::from([VlanId::new(100).unwrap()]),
        has_flat_network,
        ..Default::default()
    }
}

/// The VLAN link of `eth0` in `netns`, whose tags travel beside the frames.
fn vlan(netns: &Netns, vid: u16, pcp: u8) -> Sender {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/guest-vlan");
    let name = format!("eth0.{vid}");
    let arguments = [netns.name(), "eth0", &vid.to_string(), &name, &pcp.to_string()];
    succeed(Command::new(script).args(arguments), "");
    netns.ip(&format!("link set dev {name} up"));
    Sender::new(netns, &name)
}

/// Number of requests for the promiscuous mode of the uplink.
fn promiscuity(host: &Netns) -> u32 {
    let link = host.ip("-details link show up0");
    let after = link.split(" promiscuity ").nth(1).expect("a number");
    after.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_uplink_takes_its_vlans_and_leaves_the_others_as_they_arrived() {
    if !is_root("an_uplink_takes_its_vlans_and_leaves_the_others_as_they_arrived") {
        return;
    }
    let (host, far) = (Netns::new("host"), Netns::new("far"));
    veth((&host, "up0"), (&far, "eth0", "02:00:00:00:00:02"), 1);
    let (plain, ours, others) = (Sender::new(&far, "eth0"), vlan(&far, 100, 3), vlan(&far, 200, 5));
    let arena = host.enter(|| Arena::umem(1024)).unwrap();
    let mut pool = ChunkPool::new(arena);
    let link = ("up0", TagPlace::BesideFrame);
    // Before the sockets are opened, because a child process inherits them.
    let capture = Capture::start(&host, "up0");
    let mut uplink = host.enter(|| Uplink::open(arena, link, SocketMode::Copy, 0, &selection(false)));
    uplink.fill(&mut pool);
    assert_eq!(promiscuity(&host), 2, "the capture makes it promiscuous as well");

    let frame = Frame::new(THERE, HERE).carrying(&[7; 300]);
    // Beside the frame, and in it.
    ours.send(&frame.bytes());
    plain.send(&frame.clone().tagged(tci(6, true, 100)).bytes());
    let received = uplink.receive(&mut pool, 2);
    assert_eq!(
        received,
        [tci(3, false, 100), tci(6, true, 100)].map(|tci| frame.clone().tagged(tci).bytes())
    );

    let of_the_host = [
        frame.clone().tagged(tci(5, false, 200)),
        frame.clone().tagged(tci(0, false, 300)),
        frame.clone().behind(STAG, tci(0, false, 100)),
        frame.clone().tagged(tci(4, false, 0)),
        frame.clone(),
    ];
    others.send(&frame.bytes());
    for frame in &of_the_host[1..] {
        plain.send(&frame.bytes());
    }
    let last = frame.bytes();
    assert_eq!(capture.through(|frame| frame == last), of_the_host.clone().map(|frame| frame.bytes()));
    let counters = uplink.counters();
    assert_eq!((counters.redirected, counters.provider, counters.passed, counters.dropped), (2, 2, 5, 0));

    // A flat network has the frames without a VID.
    uplink.program.select(&selection(true)).unwrap();
    for frame in &of_the_host {
        plain.send(&frame.bytes());
    }
    let received = uplink.receive(&mut pool, 2);
    assert_eq!(received, [&of_the_host[3], &of_the_host[4]].map(Frame::bytes));
    let last = of_the_host[2].bytes();
    assert_eq!(capture.through(|frame| frame == last).len(), 3);

    // Without a socket nothing belongs to the switch, and a tag beside a frame stays there.
    uplink.close_sockets();
    ours.send(&frame.bytes());
    let last = frame.clone().tagged(tci(3, false, 100)).bytes();
    assert_eq!(capture.through(|frame| frame == last).len(), 1);

    uplink.close();
    host.assert_no_programs();
    capture.stop();
    assert_eq!(promiscuity(&host), 0);
    drop(pool);
    assert_eq!(arena.free_chunk_count(), arena.chunk_count());
}
