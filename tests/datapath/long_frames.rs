//! Frames in several chunks: jumbo frames, and TCP packets whose segmentation a VM offloads.

use proptest::prelude::*;
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::{Antispoof, Fit};

use testkit::frames::{BROADCAST, Checksum, DOT1Q, Packet, frame, ones_complement_sum, tci};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;

/// A VM whose frames may be long, and peers with links of this MTU.
fn switch(mtu: usize) -> Switch {
    Switch::with_chunks(&Scenario::vm_and_peers().mtu("vm", 9000).mtu("peer-a", mtu).mtu("peer-b", mtu), 4096)
}

/// A TCP packet with these flags: EtherType and packet, its checksum partial, and the offset of its TCP
/// header.
fn tcp(v6: bool, options: u16, flags: u8, data: &[u8]) -> (Vec<u8>, usize) {
    let packet = Packet { odd_header: options, ..Packet::new(v6, 6, Checksum::Partial, data) };
    let mut bytes = packet.bytes();
    let tcp = bytes.len() - data.len() - 20;
    bytes[tcp + 13] = flags;
    (bytes, tcp)
}

/// The segments that a network card makes of a packet: each has the headers and a part of the data.
fn segments(packet: &[u8], tcp: usize, mtu: usize) -> Vec<Vec<u8>> {
    let (headers, data) = packet.split_at(tcp + 20);
    let each = mtu - (headers.len() - 2);
    let count = data.len().div_ceil(each);
    (0..)
        .zip(data.chunks(each))
        .map(|(number, part): (usize, _)| {
            let mut segment = [headers, part].concat();
            let len = segment.len() - 2;
            let addresses = if packet[0] == 0x86 {
                segment[6..8].copy_from_slice(&(len as u16 - 40).to_be_bytes());
                10..42
            } else {
                segment[4..6].copy_from_slice(&(len as u16).to_be_bytes());
                segment[6..8].copy_from_slice(&(1 + number as u16).to_be_bytes());
                segment[12..14].fill(0);
                let sum = !ones_complement_sum(&segment[2..22]);
                segment[12..14].copy_from_slice(&sum.to_be_bytes());
                14..22
            };
            let sequence = 0x5151_5151 + (number * each) as u32;
            segment[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
            if number > 0 {
                segment[tcp + 13] &= !CWR;
            }
            if number + 1 < count {
                segment[tcp + 13] &= !(FIN | PSH);
            }
            segment[tcp + 16..tcp + 18].fill(0);
            let pseudo = [&segment[addresses], &[0, 6], &(segment.len() as u16 - tcp as u16).to_be_bytes()];
            let sum = !ones_complement_sum(&[&pseudo.concat()[..], &segment[tcp..]].concat());
            segment[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
            segment
        })
        .collect()
}

proptest! {
    #[test]
    fn a_long_tcp_packet_leaves_as_the_segments_of_a_nic_with_tso(
        v6: bool,
        len in 1_usize..60_000,
        flags in 0_u8..=255,
        mtu in prop_oneof![Just(1280), Just(1500), Just(1700), Just(9000), 576_usize..9000],
        tagged: bool,
    ) {
        let data: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let (packet, header) = tcp(v6, 0, (flags | ACK) & !(SYN | RST | URG), &data);
        prop_assume!(packet.len() - 2 > mtu);
        let mut switch = switch(mtu);
        let tags: &[_] = if tagged { &[(DOT1Q, tci(3, 0, 100))] } else { &[] };
        let (from, to) = if tagged { (WEB, PEER_B) } else { (VM, PEER_A) };
        let sent = switch.send("vm", &frame(to, from, tags, &packet));
        let sent: Vec<_> = sent.into_iter().map(|(_, bytes)| bytes).collect();
        let wanted: Vec<_> = segments(&packet, header, mtu).iter().map(|rest| frame(to, from, &[], rest)).collect();
        prop_assert_eq!(sent, wanted);
        prop_assert!(switch.drops().is_empty());
        prop_assert_eq!(switch.outlet.arena.free_chunk_count(), 4096);
    }
}

#[test]
fn each_segment_gets_the_tags_of_its_receiver() {
    let mut switch = switch(1500);
    let (packet, header) = tcp(false, 0, ACK, &vec![7; 20_000]);
    switch.follow(&Scenario::vm_and_peers().mtu("peer-b", 9000));
    let sent = switch.send("peer-b", &frame(WEB, PEER_B, &[], &packet));
    let wanted = segments(&packet, header, 1500);
    let wanted = wanted.iter().map(|rest| ("vm".to_owned(), frame(WEB, PEER_B, &[(DOT1Q, 100)], rest)));
    assert_eq!(sent, wanted.collect::<Vec<_>>());
}

#[test]
fn a_packet_as_long_as_the_link_takes_is_not_cut() {
    for (len, count) in [(1460, 1), (1461, 2)] {
        let (packet, _) = tcp(false, 0, ACK, &vec![1; len]);
        let sent = switch(1500).send("vm", &frame(PEER_B, WEB, &[(DOT1Q, 100)], &packet));
        assert_eq!(sent.len(), count, "{len} bytes");
    }
}

#[test]
fn what_cannot_be_cut_is_dropped_and_counted() {
    let data = [0x3c; 4000];
    let of = |flags| tcp(false, 0, flags, &data).0;
    let mut short_header = of(ACK);
    short_header[22 + 12] = 0x4f;
    let mut too_long = of(ACK);
    too_long[4..6].copy_from_slice(&5000_u16.to_be_bytes());
    let cases = [
        ("SYN", of(SYN)),
        ("RST", of(RST | ACK)),
        ("URG", of(URG | ACK)),
        ("a fragment", tcp(false, 0x2000, ACK, &data).0),
        ("a TCP header that is none", short_header),
        ("an IP packet longer than its frame", too_long),
        ("UDP", Packet::new(false, 17, Checksum::Partial, &data).bytes()),
        ("ICMP", Packet::new(true, 58, Checksum::Complete, &data).bytes()),
        ("no IP at all", [&[0x88, 0xb5][..], &data].concat()),
    ];
    for (what, packet) in cases {
        let mut switch = switch(1500);
        assert_eq!(switch.send("vm", &frame(PEER_A, VM, &[], &packet)), [], "{what}");
        let wanted = [((Some("peer-a".to_owned()), DropReason::Fit(Fit::TooLong)), 1)];
        assert_eq!(switch.drops(), wanted.into(), "{what}");
    }
}

#[test]
fn headers_that_leave_no_room_for_data_are_dropped() {
    // An IPv6 hop-by-hop header of 1,400 bytes, behind which there is no room in 1,280.
    let (packet, _) = tcp(true, 1400, ACK, &[1; 4000]);
    let mut switch = switch(1280);
    assert_eq!(switch.send("vm", &frame(PEER_A, VM, &[], &packet)), []);
    assert_eq!(switch.drops()[&(Some("peer-a".to_owned()), DropReason::Fit(Fit::TooLong))], 1);
}

#[test]
fn a_jumbo_frame_passes_whole_where_links_take_it() {
    let jumbo = |to: Mac| {
        let mut packet = Packet::new(false, 17, Checksum::Partial, &[0xa5; 8972]);
        let tagged = frame(to, WEB, &[(DOT1Q, tci(5, 0, 100))], &packet.bytes());
        packet.checksum = Checksum::Complete;
        (tagged, frame(to, WEB, &[], &packet.bytes()))
    };
    for to in [PEER_B, BROADCAST] {
        let mut switch = switch(9000);
        let (tagged, plain) = jumbo(to);
        assert_eq!(switch.send("vm", &tagged), [("peer-b".to_owned(), plain)]);
        assert_eq!(switch.outlet.arena.free_chunk_count(), 4096);
    }
}

#[test]
fn each_receiver_of_a_long_broadcast_gets_a_whole_copy() {
    let scenario = Scenario::vm_and_peers()
        .port("other", 12, "a", [2, 0, 0, 0, 0, 0x0c])
        .port("small", 13, "a", [2, 0, 0, 0, 0, 0x0d])
        .link("other")
        .link("small");
    let scenario = ["vm", "peer-a", "other"].iter().fold(scenario, |scenario, port| scenario.mtu(port, 9000));
    let mut switch = Switch::with_chunks(&scenario, 64);
    let long = frame(BROADCAST, VM, &[], &[&[0x88, 0xb5][..], &[9; 5000]].concat());
    let mut sent = switch.send("vm", &long);
    sent.sort();
    assert_eq!(sent, [("other".to_owned(), long.clone()), ("peer-a".to_owned(), long)]);
    assert_eq!(switch.drops(), [((Some("small".to_owned()), DropReason::Fit(Fit::TooLong)), 1)].into());
    assert_eq!(switch.outlet.arena.free_chunk_count(), 64);
}

#[test]
fn without_chunks_for_all_segments_the_others_leave() {
    let mut switch = Switch::with_chunks(&Scenario::vm_and_peers(), 12);
    // Eight chunks for the packet, four for ten segments; they stay with the receiver.
    let (packet, _) = tcp(false, 0, ACK, &[1; 14_000]);
    let sent = switch.send("vm", &frame(PEER_A, VM, &[], &packet));
    assert_eq!(sent.len(), 4);
    assert_eq!(switch.drops()[&(Some("peer-a".to_owned()), DropReason::Fit(Fit::NoChunk))], 6);
    assert_eq!(switch.outlet.arena.free_chunk_count(), 12);
}

/// An advertisement of a neighbour's address behind `options` bytes of destination options.
fn spoofed_behind(options: usize) -> Vec<u8> {
    let address =
        |last: u8| [&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0][..], &[last]].concat();
    let own = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1];
    let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &address(0x0a), &[2, 1], &VM].concat();
    let mut header = vec![58, (options / 8 - 1) as u8];
    header.resize(options, 0);
    let length = ((header.len() + message.len()) as u16).to_be_bytes();
    let mut packet = [&[0x86, 0xdd, 0x60, 0, 0, 0][..], &length, &[60, 255], &own, &address(0x0b)].concat();
    packet.extend([header, message].concat());
    frame(PEER_A, VM, &[], &packet)
}

#[test]
fn neighbour_discovery_behind_the_first_chunk_is_dropped() {
    let mut scenario = Scenario::vm_and_peers().mtu("vm", 9000).mtu("peer-a", 9000);
    scenario.port_mut("vm").security = Some((vec!["10.0.0.1"], vec![]));
    for (options, reason) in [
        (8, DropReason::Antispoof(Antispoof::SourceIp)),
        (2048, DropReason::Antispoof(Antispoof::Unreadable)),
    ] {
        let mut switch = Switch::with_chunks(&scenario, 64);
        assert_eq!(switch.send("vm", &spoofed_behind(options)), []);
        assert_eq!(switch.drops(), [((Some("vm".to_owned()), reason), 1)].into());
    }
}
