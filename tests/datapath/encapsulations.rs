//! Completion of partial checksums inside a guest's own tunnels, in SCTP, and behind source routes.

use std::iter;

use trunkpath::packet::checksum::{Completion, complete};
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::{Checksum, Fit};

use super::encapsulation::{
    ADDRESSES_4, ADDRESSES_6, Place, SCTP, Sum, TCP, UDP, addresses, ethernet, gre, ip, segment, udp,
};
use testkit::frames::{DOT1Q, frame};
use testkit::scenario::{PEER_A, Scenario, VM};
use testkit::switch::Switch;

const VXLAN: [u8; 8] = [0x08, 0, 0, 0, 0, 0, 7, 0];

/// Name and function of an encapsulation of a packet with its EtherType. `sum` is for the checksum of the
/// outer header, if it has one.
type Encapsulation = (&'static str, fn(packet: &[u8], sum: Sum) -> Vec<u8>);

const ENCAPSULATIONS: [Encapsulation; 17] = [
    ("none", |packet, _| packet.to_vec()),
    ("VXLAN", |packet, _| vxlan(false, 4789, packet, None)),
    ("VXLAN with outer sum", |packet, sum| vxlan(false, 4789, packet, Some(sum))),
    ("VXLAN on Linux' port", |packet, _| vxlan(false, 8472, packet, None)),
    ("VXLAN over IPv6", |packet, sum| vxlan(true, 4789, packet, Some(sum))),
    ("Geneve", |packet, sum| geneve(&[], packet, Some(sum))),
    ("Geneve with an option", |packet, _| geneve(&[0, 1, 0x80, 1, 1, 2, 3, 4], packet, None)),
    ("GRE", |packet, sum| ip(false, 47, &gre(0, packet, sum), Place::default())),
    ("GRE with key and sequence", |packet, sum| ip(true, 47, &gre(0x3000, packet, sum), Place::default())),
    ("GRE with sum", |packet, sum| ip(false, 47, &gre(0x8000, packet, sum), Place::default())),
    ("gretap", |packet, sum| {
        let bridged = [&[0x65, 0x58][..], &ethernet(packet)].concat();
        ip(false, 47, &gre(0x2000, &bridged, sum), Place::default())
    }),
    ("IP in IPv4", |packet, _| ip(false, protocol_of(packet), &packet[2..], Place::default())),
    ("IP in IPv6", |packet, _| ip(true, protocol_of(packet), &packet[2..], Place::default())),
    ("MPLS", |packet, _| [&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64][..], &packet[2..]].concat()),
    ("MPLS in GRE", |packet, sum| {
        let labelled = [&[0x88, 0x47, 0, 1, 1, 64][..], &packet[2..]].concat();
        ip(false, 47, &gre(0, &labelled, sum), Place::default())
    }),
    ("VXLAN in IPIP", |packet, sum| {
        ip(false, 4, &vxlan(false, 4789, packet, Some(sum))[2..], Place::default())
    }),
    ("VXLAN in VXLAN", |packet, sum| vxlan(false, 4789, &vxlan(true, 4789, packet, Some(sum)), Some(sum))),
];

fn protocol_of(packet: &[u8]) -> u8 {
    if packet[0] == 0x86 { 41 } else { 4 }
}

fn vxlan(v6: bool, port: u16, packet: &[u8], sum: Option<Sum>) -> Vec<u8> {
    ip(v6, UDP, &udp(v6, port, &[&VXLAN[..], &ethernet(packet)].concat(), sum), Place::default())
}

fn geneve(options: &[u8], packet: &[u8], sum: Option<Sum>) -> Vec<u8> {
    let header = [options.len() as u8 / 4, 0, 0x65, 0x58, 0, 0, 7, 0];
    let payload = [&header[..], options, &ethernet(packet)].concat();
    ip(false, UDP, &udp(false, 6081, &payload, sum), Place::default())
}

/// The frame with all checksums complete, and the same with the inner one partial and the outer ones
/// according to `outer`: complete for the complete inner packet, or partial as well.
fn pair((_, encapsulate): Encapsulation, protocol: u8, v6: bool, outer: Sum) -> (Vec<u8>, Vec<u8>) {
    let packet = |sum| {
        let data: Vec<u8> = (0..77).collect();
        ip(v6, protocol, &segment(protocol, addresses(v6), &data, sum, Place::default()), Place::default())
    };
    let whole = frame(PEER_A, VM, &[], &encapsulate(&packet(Sum::Complete), Sum::Complete));
    let partial = match outer {
        Sum::Partial => frame(PEER_A, VM, &[], &encapsulate(&packet(Sum::Partial), Sum::Partial)),
        Sum::Complete => {
            // The inner packet is the end of the frame.
            let inner = packet(Sum::Partial);
            let mut partial = whole.clone();
            let start = partial.len() - (inner.len() - 2);
            partial[start..].copy_from_slice(&inner[2..]);
            partial
        }
    };
    (whole, partial)
}

fn all_pairs(mut check: impl FnMut(&str, Vec<u8>, Vec<u8>)) {
    for encapsulation in ENCAPSULATIONS {
        for (protocol, v6) in
            [(TCP, false), (TCP, true), (UDP, false), (UDP, true), (SCTP, false), (SCTP, true)]
        {
            for outer in [Sum::Complete, Sum::Partial] {
                let (whole, partial) = pair(encapsulation, protocol, v6, outer);
                check(
                    &format!("{} protocol {protocol} IPv6 {v6} {outer:?}", encapsulation.0),
                    whole,
                    partial,
                );
            }
        }
    }
}

#[test]
fn partial_sums_are_completed_inside_of_tunnels() {
    all_pairs(|what, whole, mut partial| {
        assert_ne!(partial, whole, "{what}");
        assert_eq!(complete(&mut partial, iter::empty()), Completion::Completed, "{what}");
        assert_eq!(partial, whole, "{what}");
    });
}

#[test]
fn complete_sums_stay_inside_of_tunnels() {
    all_pairs(|what, whole, _| {
        let mut again = whole.clone();
        complete(&mut again, iter::empty());
        assert_eq!(again, whole, "{what}");
    });
}

#[test]
fn sums_of_frames_in_several_chunks_are_completed_inside_of_tunnels() {
    all_pairs(|what, whole, partial| {
        // All headers are in the first chunk, and 76 bytes of data are not.
        let (first, rest) = partial.split_at(partial.len() - 76);
        let mut first = first.to_vec();
        assert_eq!(complete(&mut first, rest.chunks(7)), Completion::Completed, "{what}");
        assert_eq!([&first, rest].concat(), whole, "{what}");
    });
}

#[test]
fn a_sum_that_cannot_be_reached_is_not_sent_on() {
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    // Tunnels nested beyond the limit.
    let payload = segment(TCP, &ADDRESSES_4, b"data", Sum::Partial, Place::default());
    let mut packet = ip(false, TCP, &payload, Place::default());
    for headers in 1..=7 {
        let sent = switch.send("vm", &frame(PEER_A, VM, &[], &packet)).len();
        assert_eq!(sent, usize::from(headers <= 5), "{headers} IP headers");
        packet = ip(false, 4, &packet[2..], Place::default());
    }
    let wanted = ((Some("vm".to_owned()), DropReason::Checksum(Checksum::OutOfReach)), 2);
    assert_eq!(switch.drops(), [wanted].into());
}

#[test]
fn the_final_destination_of_a_source_route_is_in_the_sum() {
    let last = [192, 0, 2, 9];
    let payload = |between: &[u8]| segment(TCP, between, b"data", Sum::Partial, Place::default());
    let between = [&ADDRESSES_4[..4], &last].concat();
    // A loose source route whose pointer is at its last address.
    let mut bytes = frame(PEER_A, VM, &[], &ip(false, TCP, &payload(&between), Place::default()));
    bytes.splice(34..34, [131, 7, 4].into_iter().chain(last).chain([0]));
    bytes[14] = 0x47;
    bytes[17] += 8;
    let mut whole = bytes.clone();
    assert_eq!(complete(&mut whole, iter::empty()), Completion::Completed);
    let segment_sum = segment(TCP, &between, b"data", Sum::Complete, Place::default());
    assert_eq!(whole[42..], segment_sum);

    // IPv6: segment routing, one segment left, the last one first.
    let last: [u8; 16] = [0xfd; 16];
    let between = [&ADDRESSES_6[..16], &last].concat();
    let route = [&[TCP, 4, 4, 1, 1, 0, 0, 0][..], &last, &ADDRESSES_6[16..]].concat();
    let routed = [&route[..], &payload(&between)].concat();
    let mut whole = frame(PEER_A, VM, &[], &ip(true, 43, &routed, Place::default()));
    assert_eq!(complete(&mut whole, iter::empty()), Completion::Completed);
    assert_eq!(whole[54 + route.len()..], segment(TCP, &between, b"data", Sum::Complete, Place::default()));
}

#[test]
fn a_long_packet_in_a_tunnel_leaves_in_segments_of_the_same_tunnel() {
    let scenario = Scenario::vm_and_peers().mtu("vm", 9000);
    let data: Vec<u8> = (0..20_000_u32).map(|byte| (byte % 251) as u8).collect();
    // Outer IPv4 and UDP, VXLAN, inner Ethernet, inner IPv4 and TCP.
    let each = 1500 - (20 + 8 + 8 + 14 + 20 + 20);
    let whole = |data: &[u8], inner: Sum, outer: Option<Sum>, place| {
        let packet = ip(false, TCP, &segment(TCP, &ADDRESSES_4, data, inner, place), place);
        let datagram = udp(false, 4789, &[&VXLAN[..], &ethernet(&packet)].concat(), outer);
        frame(PEER_A, VM, &[], &ip(false, UDP, &datagram, place))
    };
    for outer in [None, Some(Sum::Partial)] {
        let mut switch = Switch::with_chunks(&scenario, 256);
        let sent = switch.send("vm", &whole(&data, Sum::Partial, outer, Place::default()));
        let sent: Vec<_> = sent.into_iter().map(|(_, bytes)| bytes).collect();
        let wanted: Vec<_> = (0..)
            .zip(data.chunks(each))
            .map(|(number, part)| {
                let place = Place { number, offset: u32::from(number) * each as u32 };
                whole(part, Sum::Complete, outer.map(|_| Sum::Complete), place)
            })
            .collect();
        assert_eq!(sent, wanted, "{outer:?}");
        assert!(switch.drops().is_empty());
    }
}

#[test]
fn a_long_packet_in_a_numbered_tunnel_cannot_be_cut() {
    let payload = segment(TCP, &ADDRESSES_4, &[7; 4000], Sum::Partial, Place::default());
    let packet = gre(0x1000, &ip(false, TCP, &payload, Place::default()), Sum::Complete);
    let bytes = frame(PEER_A, VM, &[(DOT1Q, 7)], &ip(false, 47, &packet, Place::default()));
    let mut switch = Switch::with_chunks(&Scenario::vm_and_peers().mtu("vm", 9000), 64);
    assert_eq!(switch.send("vm", &bytes), []);
    assert_eq!(switch.drops(), [((Some("peer-a".to_owned()), DropReason::Fit(Fit::TooLong)), 1)].into());
}

/// TCP and UDP without a tunnel, over both versions of IP, behind these tags.
fn plain(tags: &[(u16, u16)], sum: Sum) -> Vec<Vec<u8>> {
    let kinds = [(TCP, false), (TCP, true), (UDP, false), (UDP, true)];
    let packet = |(protocol, v6)| {
        let payload = segment(protocol, addresses(v6), b"payload", sum, Place::default());
        frame(PEER_A, VM, tags, &ip(v6, protocol, &payload, Place::default()))
    };
    kinds.into_iter().map(packet).collect()
}

#[test]
fn tags_and_trailers_are_not_part_of_the_sum() {
    for tags in [&[][..], &[(DOT1Q, 100)], &[(0x88a8, 7), (DOT1Q, 8), (DOT1Q, 9)]] {
        for (mut partial, whole) in plain(tags, Sum::Partial).into_iter().zip(plain(tags, Sum::Complete)) {
            partial.extend([0xff; 19]);
            assert_eq!(complete(&mut partial, iter::empty()), Completion::Completed);
            assert_eq!(partial[..whole.len()], whole);
        }
    }
}

#[test]
fn fragments_and_other_sums_stay() {
    for (kind, partial) in plain(&[], Sum::Partial).into_iter().enumerate() {
        let (is_v6, field) = (kind % 2 == 1, [50, 70, 40, 60][kind]);
        let mut other = partial.clone();
        other[field..field + 2].copy_from_slice(&[0x12, 0x34]);
        let mut fragment = partial;
        if is_v6 {
            fragment[20] = 44;
        } else {
            fragment[20] |= 0x20;
        }
        for mut bytes in [other, fragment] {
            let before = bytes.clone();
            assert_eq!(complete(&mut bytes, iter::empty()), Completion::NotPartial);
            assert_eq!(bytes, before);
        }
    }
}

#[test]
fn a_packet_that_is_cut_is_left_alone() {
    all_pairs(|what, _, partial| {
        // At least the inner packet is longer than the frame.
        for len in 0..partial.len() {
            let mut cut = partial[..len].to_vec();
            assert_eq!(complete(&mut cut, iter::empty()), Completion::NotPartial, "{what}: {len} bytes");
            assert_eq!(cut, partial[..len], "{what}");
        }
    });
}
