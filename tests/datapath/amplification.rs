//! Frames that one received frame may cause: a bounded number, and more than full segments only within the
//! flood rate.

use proptest::prelude::*;
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Fit;

use testkit::frames::{BROADCAST, Checksum, Packet, frame};
use testkit::scenario::{Mac, PEER_A, Scenario, VM};
use testkit::switch::Switch;

/// Maximum number of segments of a frame.
const MAX_SEGMENTS: usize = 128;

const GROUP: Mac = [0x33, 0x33, 0, 0, 0, 1];

/// A VM that sends super-packets, and a peer with this MTU.
fn scenario(mtu: usize, flood_rate: u32) -> Scenario {
    let mut scenario = Scenario::vm_and_peers().mtu("vm", 9000).mtu("peer-a", mtu);
    scenario.flood_rate = flood_rate;
    scenario
}

/// A TCP packet to `destination` of maximum length, with `options` bytes of hop-by-hop options.
fn super_packet(destination: Mac, options: u16) -> Vec<u8> {
    let data = vec![7; 65_000 - usize::from(options)];
    let packet = Packet { odd_header: options, ..Packet::new(true, 6, Checksum::Partial, &data) };
    frame(destination, VM, &[], &packet.bytes())
}

fn drops(switch: &Switch) -> Vec<(Option<String>, DropReason, u64)> {
    switch.drops().into_iter().map(|((port, reason), count)| (port, reason, count)).collect()
}

proptest! {
    #[test]
    fn a_frame_causes_a_bounded_number_of_frames(
        options in (0_u16..=255).prop_map(|units| units * 8),
        mtu in prop_oneof![Just(576), Just(1280), Just(1500), 576_usize..9000],
        to_group: bool,
    ) {
        let mut switch = Switch::with_chunks(&scenario(mtu, 0), 4096);
        let sent = switch.send("vm", &super_packet(if to_group { GROUP } else { PEER_A }, options));
        let bytes: usize = sent.iter().map(|(_, bytes)| bytes.len()).sum();
        let most = if to_group { 0 } else { MAX_SEGMENTS };
        prop_assert!(sent.len() <= most);
        prop_assert!(bytes <= MAX_SEGMENTS * (mtu + 14));
        let dropped: u64 = switch.drops().values().sum();
        prop_assert_eq!(dropped, u64::from(sent.is_empty()));
        prop_assert_eq!(switch.outlet.arena.free_chunk_count(), 4096);
    }
}

#[test]
fn a_packet_with_too_many_segments_is_dropped_at_the_sender() {
    let mut switch = Switch::with_chunks(&scenario(1500, 0), 4096);
    assert_eq!(switch.send("vm", &super_packet(PEER_A, 1400)), []);
    assert_eq!(drops(&switch), [(Some("vm".to_owned()), DropReason::Fit(Fit::TooManySegments), 1)]);
}

#[test]
fn a_super_packet_to_a_group_is_not_cut() {
    let other: Mac = [2, 0, 0, 0, 0, 0x0c];
    let mut switch = Switch::with_chunks(&scenario(1500, 0).port("other", 12, "a", other).link("other"), 64);
    for destination in [GROUP, BROADCAST] {
        assert_eq!(switch.send("vm", &super_packet(destination, 0)), []);
    }
    let too_long = |port: &str| (Some(port.to_owned()), DropReason::Fit(Fit::TooLong), 2);
    assert_eq!(drops(&switch), [too_long("other"), too_long("peer-a")]);
}

#[test]
fn surplus_segments_count_against_the_flood_rate() {
    // 103 segments where 44 full ones would be enough: 15 beyond twice as many.
    let mut switch = Switch::with_chunks(&scenario(1500, 1000), 4096);
    let packet = super_packet(PEER_A, 816);
    let mut sent = 0;
    for tick in 0..1000_u64 {
        switch.outlet.now = 1_000_000_000 + tick * 1_000_000;
        sent += usize::from(!switch.send("vm", &packet).is_empty());
    }
    assert!((1100 / 15..=1100 / 15 + 1).contains(&sent), "{sent}");
    assert!(drops(&switch).iter().all(|(port, reason, _)| {
        (port.as_deref(), *reason) == (Some("vm"), DropReason::Fit(Fit::SegmentRate))
    }));
}

#[test]
fn ordinary_super_packets_are_not_limited() {
    for (mtu, segments) in [(1500, 46), (9000, 8), (576, 126)] {
        let mut switch = Switch::with_chunks(&scenario(mtu, 1), 4096);
        for _ in 0..10 {
            switch.outlet.now = 1_000_000_000;
            let data = vec![7; 65_000];
            let packet = Packet::new(true, 6, Checksum::Partial, &data);
            let sent = switch.send("vm", &frame(PEER_A, VM, &[], &packet.bytes()));
            assert_eq!(sent.len(), segments, "MTU {mtu}");
        }
    }
}

#[test]
fn a_copy_of_a_long_frame_costs_as_much_as_it_has_chunks() {
    let mut switch = Switch::with_chunks(&scenario(9000, 1000), 4096);
    let long = frame(BROADCAST, VM, &[], &[&[0x88, 0xb5][..], &[9; 8900]].concat());
    let mut sent = 0;
    for tick in 0..1000_u64 {
        switch.outlet.now = 1_000_000_000 + tick * 1_000_000;
        sent += switch.send("vm", &long).len();
    }
    // 8,914 bytes in five chunks.
    assert!((1100 / 5..=1100 / 5 + 1).contains(&sent), "{sent}");
}
