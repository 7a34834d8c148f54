//! Port security: the frames that a port with it may send.

use std::net::Ipv6Addr;

use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Antispoof;

use super::announcements::{arp, arp_packet, dhcp, ipv6, link_layer, neighbour, udp, udp_rest};
use testkit::frames::{BROADCAST, DOT1Q, frame};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

const OTHER: Mac = [2, 0, 0, 0, 0, 0x66];
/// Address of a virtual router, which the VM may use with 10.0.1.0/24.
const SHARED: Mac = [0, 0, 0x5e, 0, 1, 1];

const OWN_IP: [u8; 4] = [10, 0, 0, 1];
const SHARED_IP: [u8; 4] = [10, 0, 1, 9];
const OTHER_IP: [u8; 4] = [10, 0, 0, 66];

const OWN_IP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// Link-local address that follows from [`VM`].
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
const OTHER_IP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x66);
const NONE_IP6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

/// The VM and its subport with port security.
fn scenario() -> Scenario {
    let mut scenario = Scenario::vm_and_peers();
    let pairs = vec![("10.0.1.0/24", SHARED), ("10.0.0.7", VM)];
    scenario.port_mut("vm").security = Some((vec!["10.0.0.1", "2001:db8::1"], pairs));
    scenario.port_mut("web").security = Some((vec!["192.168.0.1"], vec![]));
    scenario
}

fn assert_verdict(frame: &[u8], expected: Result<(), (&str, DropReason)>) {
    let mut switch = Switch::new(&scenario());
    let sent = switch.send("vm", frame).len();
    let verdict = match switch.drops().into_keys().next() {
        Some((port, reason)) => Err((port.unwrap_or_default(), reason)),
        None => Ok(()),
    };
    let expected = expected.map_err(|(port, reason)| (port.to_owned(), reason));
    assert_eq!(verdict, expected, "{frame:02x?}");
    assert_eq!(sent, usize::from(expected.is_ok()), "{frame:02x?}");
}

fn assert_passes(frame: &[u8]) {
    assert_verdict(frame, Ok(()));
}

fn assert_dropped(frame: &[u8], reason: DropReason) {
    assert_verdict(frame, Err(("vm", reason)));
}

#[test]
fn any_frame_must_come_from_a_mac_address_of_the_port() {
    let other_protocol = |source| frame(PEER_A, source, &[], &[&[0x88, 0xb5][..], &[7; 46]].concat());
    assert_passes(&other_protocol(VM));
    assert_passes(&other_protocol(SHARED));
    assert_dropped(&other_protocol(OTHER), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(&other_protocol(WEB), DropReason::Antispoof(Antispoof::SourceMac));
}

#[test]
fn ipv4_must_come_from_an_address_that_goes_with_the_mac_address() {
    assert_passes(&udp(VM, OWN_IP, (1, 2)));
    assert_passes(&udp(VM, [10, 0, 0, 7], (1, 2)));
    assert_passes(&udp(SHARED, SHARED_IP, (1, 2)));
    assert_dropped(&udp(VM, OTHER_IP, (1, 2)), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&udp(VM, SHARED_IP, (1, 2)), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&udp(SHARED, OWN_IP, (1, 2)), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&udp(OTHER, OWN_IP, (1, 2)), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(
        &frame(PEER_A, VM, &[], &[0x08, 0x00, 0x65, 0]),
        DropReason::Antispoof(Antispoof::Unreadable),
    );
}

#[test]
fn without_an_address_a_guest_may_request_one() {
    let discover = dhcp(VM, [255; 4], [0; 4], VM);
    assert_passes(&discover);
    assert_dropped(&udp(VM, [0; 4], (67, 68)), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&dhcp(OTHER, [255; 4], [0; 4], VM), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(&dhcp(VM, [10, 0, 0, 2], [0; 4], VM), DropReason::Antispoof(Antispoof::SourceIp));
    // The first bytes of a later fragment are no ports.
    let mut fragment = discover;
    fragment[21] = 1;
    assert_dropped(&fragment, DropReason::Antispoof(Antispoof::SourceIp));
}

#[test]
fn a_dhcp_client_requests_for_itself() {
    assert_passes(&dhcp(VM, [10, 0, 0, 2], OWN_IP, VM));
    assert_dropped(&dhcp(VM, [255; 4], [0; 4], OTHER), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(&dhcp(VM, [10, 0, 0, 2], OWN_IP, OTHER), DropReason::Antispoof(Antispoof::SourceMac));
    let renewal = dhcp(VM, [10, 0, 0, 2], OWN_IP, VM);
    // A first fragment: more follow.
    let mut fragment = renewal.clone();
    fragment[20] = 0x20;
    assert_dropped(&fragment, DropReason::Antispoof(Antispoof::Unreadable));
    // Hardware type of token ring.
    let mut other_hardware = renewal.clone();
    other_hardware[43] = 6;
    assert_dropped(&other_hardware, DropReason::Antispoof(Antispoof::Unreadable));
    assert_dropped(&renewal[..70], DropReason::Antispoof(Antispoof::Unreadable));
}

#[test]
fn arp_must_announce_addresses_of_the_port() {
    assert_passes(&arp(VM, 1, VM, OWN_IP));
    assert_passes(&arp(VM, 2, VM, OWN_IP));
    assert_passes(&arp(VM, 2, SHARED, SHARED_IP));
    let probe = |target| frame(BROADCAST, VM, &[], &arp_packet(0x0806, 1, VM, [0; 4], target));
    assert_passes(&probe(OWN_IP));
    assert_dropped(&probe(OTHER_IP), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&arp(VM, 2, VM, [0; 4]), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&arp(VM, 2, VM, OTHER_IP), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&arp(VM, 2, OTHER, OWN_IP), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(&arp(OTHER, 2, VM, OWN_IP), DropReason::Antispoof(Antispoof::SourceMac));
    let cut = arp(VM, 1, VM, OWN_IP);
    assert_dropped(&cut[..41], DropReason::Antispoof(Antispoof::Unreadable));
    let mut other_hardware = cut;
    other_hardware[15] = 6;
    assert_dropped(&other_hardware, DropReason::Antispoof(Antispoof::Unreadable));
}

#[test]
fn reverse_arp_must_announce_the_ports_mac_address() {
    let reverse =
        |operation, mac, ip| frame(BROADCAST, VM, &[], &arp_packet(0x8035, operation, mac, ip, [0; 4]));
    assert_passes(&reverse(3, VM, [0; 4]));
    assert_dropped(&reverse(3, OTHER, [0; 4]), DropReason::Antispoof(Antispoof::SourceMac));
    assert_dropped(&reverse(4, VM, OTHER_IP), DropReason::Antispoof(Antispoof::SourceIp));
}

#[test]
fn llc_hides_nothing() {
    let behind = |llc: &[u8], packet: &[u8]| frame(BROADCAST, VM, &[], &[&[0, 80], llc, packet].concat());
    for organization in [[0, 0, 0], [0, 0, 0xf8]] {
        let snap = [&[0xaa, 0xaa, 3][..], &organization].concat();
        assert_passes(&behind(&snap, &udp_rest(OWN_IP, (1, 2))));
        assert_dropped(
            &behind(&snap, &udp_rest(OTHER_IP, (1, 2))),
            DropReason::Antispoof(Antispoof::SourceIp),
        );
        let spoofed = arp_packet(0x0806, 2, OTHER, OWN_IP, OTHER_IP);
        assert_dropped(&behind(&snap, &spoofed), DropReason::Antispoof(Antispoof::SourceMac));
        for tpid in [[0x81, 0], [0x88, 0xa8], [0x91, 0]] {
            let tagged = [&tpid[..], &[0, 7], &spoofed].concat();
            assert_dropped(&behind(&snap, &tagged), DropReason::Antispoof(Antispoof::Unreadable));
        }
        let nested = [&[0, 80], &snap[..], &spoofed].concat();
        assert_dropped(&behind(&snap, &nested), DropReason::Antispoof(Antispoof::Unreadable));
        assert_dropped(&behind(&snap[..5], &[]), DropReason::Antispoof(Antispoof::Unreadable));
        let behind_a_tag = [&[0, 80], &snap[..], &spoofed].concat();
        assert_dropped(
            &frame(BROADCAST, VM, &[(DOT1Q, 7)], &behind_a_tag),
            DropReason::Antispoof(Antispoof::SourceMac),
        );
    }
    assert_passes(&behind(&[0x42, 0x42, 3], &[0; 35]));
    assert_passes(&behind(&[0xaa, 0xaa, 3, 0x08, 0, 7], &[0x80, 0x9b, 0, 0]));
}

#[test]
fn llc_carries_ip_and_arp_in_snap_only() {
    let packet = [&[0, 0, 0][..], &udp_rest(OWN_IP, (1, 2))].concat();
    let behind = |access_points: [u8; 2], control: &[u8]| {
        frame(BROADCAST, VM, &[], &[&[0, 80], &access_points[..], control, &packet].concat())
    };
    assert_passes(&behind([0xaa, 0xaa], &[3]));
    // SNAP to a group, as a response, for one of the two, and in PDUs with a longer or another control field.
    for access_points in [[0xab, 0xaa], [0xaa, 0xab], [0xab, 0xab], [0xaa, 0x42], [0x42, 0xaa]] {
        assert_dropped(&behind(access_points, &[3]), DropReason::Antispoof(Antispoof::Unreadable));
    }
    for control in [&[0, 0][..], &[1, 0], &[0x13], &[0xe3]] {
        assert_dropped(&behind([0xaa, 0xaa], control), DropReason::Antispoof(Antispoof::Unreadable));
    }
    // IP and ARP by access points of their own, and all access points.
    for point in [0x06, 0x07, 0x98, 0x99] {
        for access_points in [[point, point], [point, 0x42], [0x42, point]] {
            assert_dropped(&behind(access_points, &[3]), DropReason::Antispoof(Antispoof::Unreadable));
        }
    }
    assert_dropped(&behind([0xff, 0x42], &[3]), DropReason::Antispoof(Antispoof::Unreadable));
}

#[test]
fn ipv6_must_come_from_an_address_of_the_port_or_the_link_local_one() {
    assert_passes(&ipv6(VM, OWN_IP6, 59, &[]));
    assert_passes(&ipv6(VM, LINK_LOCAL, 17, &[0; 8]));
    assert_dropped(&ipv6(VM, OTHER_IP6, 59, &[]), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&ipv6(SHARED, LINK_LOCAL, 59, &[]), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(&ipv6(VM, NONE_IP6, 59, &[]), DropReason::Antispoof(Antispoof::SourceIp));
    let no_version = frame(PEER_A, VM, &[], &[&[0x86, 0xdd, 0x40][..], &[0; 50]].concat());
    assert_dropped(&no_version, DropReason::Antispoof(Antispoof::Unreadable));
}

#[test]
fn neighbour_discovery_must_announce_addresses_of_the_port() {
    const SOLICITATION: u8 = 135;
    const ADVERTISEMENT: u8 = 136;
    const REDIRECT: u8 = 137;
    let discovery = |ip, message: Vec<u8>| ipv6(VM, ip, 58, &message);
    let target = |target, mac| neighbour(ADVERTISEMENT, target, &link_layer(2, mac));
    assert_passes(&discovery(NONE_IP6, neighbour(SOLICITATION, OWN_IP6, &[])));
    assert_dropped(
        &discovery(NONE_IP6, neighbour(SOLICITATION, OTHER_IP6, &[])),
        DropReason::Antispoof(Antispoof::SourceIp),
    );
    let redirect =
        |target, mac| neighbour(REDIRECT, target, &[&OTHER_IP6.octets()[..], &link_layer(2, mac)].concat());
    assert_passes(&discovery(LINK_LOCAL, redirect(LINK_LOCAL, VM)));
    assert_dropped(
        &discovery(LINK_LOCAL, redirect(OTHER_IP6, VM)),
        DropReason::Antispoof(Antispoof::SourceIp),
    );
    assert_dropped(
        &discovery(LINK_LOCAL, redirect(LINK_LOCAL, OTHER)),
        DropReason::Antispoof(Antispoof::SourceMac),
    );
    assert_passes(&discovery(LINK_LOCAL, neighbour(SOLICITATION, OTHER_IP6, &link_layer(1, VM))));
    assert_passes(&discovery(LINK_LOCAL, target(OWN_IP6, VM)));
    assert_dropped(&discovery(LINK_LOCAL, target(OTHER_IP6, VM)), DropReason::Antispoof(Antispoof::SourceIp));
    assert_dropped(
        &discovery(LINK_LOCAL, target(OWN_IP6, OTHER)),
        DropReason::Antispoof(Antispoof::SourceMac),
    );
    assert_dropped(&discovery(NONE_IP6, target(OWN_IP6, VM)), DropReason::Antispoof(Antispoof::SourceIp));
    let solicitation = neighbour(SOLICITATION, OTHER_IP6, &link_layer(1, OTHER));
    assert_dropped(&discovery(LINK_LOCAL, solicitation), DropReason::Antispoof(Antispoof::SourceMac));
    let two = [link_layer(2, VM), link_layer(2, OTHER)].concat();
    let contradictory = neighbour(ADVERTISEMENT, OWN_IP6, &two);
    assert_dropped(&discovery(LINK_LOCAL, contradictory), DropReason::Antispoof(Antispoof::Unreadable));
    let endless = neighbour(ADVERTISEMENT, OWN_IP6, &[7, 0, 0, 0, 0, 0, 0, 0]);
    assert_dropped(&discovery(LINK_LOCAL, endless), DropReason::Antispoof(Antispoof::Unreadable));
    // Behind an extension header.
    let hidden = [&[58, 0, 1, 4, 0, 0, 0, 0][..], &target(OTHER_IP6, VM)].concat();
    assert_dropped(&ipv6(VM, LINK_LOCAL, 0, &hidden), DropReason::Antispoof(Antispoof::SourceIp));
    // A multicast listener report, as a host without an address sends it.
    let report = [&[58, 0, 5, 2, 0, 0, 1, 0][..], &[143, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_passes(&ipv6(VM, NONE_IP6, 0, &report));
}

#[test]
fn neighbour_discovery_cannot_be_hidden() {
    let spoofed = neighbour(136, OTHER_IP6, &link_layer(2, VM));
    let honest = neighbour(136, OWN_IP6, &link_layer(2, VM));
    // Fragment headers: first of several, atomic, later.
    for (offset_and_flag, message, expected) in [
        (1, &honest, Some(DropReason::Antispoof(Antispoof::Unreadable))),
        (0, &honest, Some(DropReason::Antispoof(Antispoof::Unreadable))),
        (8, &spoofed, None),
    ] {
        let fragment = [&[58, 0, 0, offset_and_flag, 0, 0, 0, 1][..], message].concat();
        let frame = ipv6(VM, LINK_LOCAL, 44, &fragment);
        expected.map_or_else(|| assert_passes(&frame), |reason| assert_dropped(&frame, reason));
    }
    // A first fragment without the header that the second would bring.
    let chain = [&[60, 0, 0, 1, 0, 0, 0, 1][..], &[58, 0, 1, 4, 0, 0, 0, 0]].concat();
    assert_dropped(&ipv6(VM, LINK_LOCAL, 44, &chain), DropReason::Antispoof(Antispoof::Unreadable));
    // Behind an authentication header, a header for mobility, one of an experiment.
    let authentication = [&[58, 4, 0, 0][..], &[0; 20], &spoofed].concat();
    assert_dropped(&ipv6(VM, LINK_LOCAL, 51, &authentication), DropReason::Antispoof(Antispoof::SourceIp));
    let extension = [&[58, 0, 1, 4, 0, 0, 0, 0][..], &spoofed].concat();
    assert_dropped(&ipv6(VM, LINK_LOCAL, 135, &extension), DropReason::Antispoof(Antispoof::SourceIp));
    // 148 is the first number without a protocol.
    for next_header in [148, 200, 252, 253, 254, 255] {
        assert_dropped(
            &ipv6(VM, LINK_LOCAL, next_header, &extension),
            DropReason::Antispoof(Antispoof::Unreadable),
        );
    }
    assert_passes(&ipv6(VM, LINK_LOCAL, 147, &extension));
    // Behind more headers than any host sends.
    let option = |next| [next, 0, 1, 4, 0, 0, 0, 0];
    for (headers, reason) in
        [(8, DropReason::Antispoof(Antispoof::SourceIp)), (9, DropReason::Antispoof(Antispoof::Unreadable))]
    {
        let options: Vec<u8> = (1..headers).flat_map(|_| option(60)).chain(option(58)).collect();
        assert_dropped(&ipv6(VM, LINK_LOCAL, 60, &[&options[..], &spoofed].concat()), reason);
    }
    // Longer than the frame, and shorter than the message; as a jumbogram has it.
    let mut wrong_length = ipv6(VM, LINK_LOCAL, 58, &honest);
    for length in [33, 8] {
        wrong_length[19] = length;
        assert_dropped(&wrong_length, DropReason::Antispoof(Antispoof::Unreadable));
    }
    let mut jumbo = ipv6(VM, LINK_LOCAL, 0, &extension);
    jumbo[18..20].fill(0);
    assert_dropped(&jumbo, DropReason::Antispoof(Antispoof::SourceIp));
}

#[test]
fn relatives_of_neighbour_discovery_are_checked_too() {
    // Inverse discovery claims lists of addresses.
    for kind in [141, 142] {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &link_layer(1, VM), &link_layer(2, OTHER)].concat();
        assert_dropped(&ipv6(VM, LINK_LOCAL, 58, &message), DropReason::Antispoof(Antispoof::Unreadable));
    }
    // Certification paths of secure discovery.
    for kind in [148, 149] {
        let message = [kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_passes(&ipv6(VM, LINK_LOCAL, 58, &message));
        for offset_and_flag in [0, 1] {
            let fragment = [&[58, 0, 0, offset_and_flag, 0, 0, 0, 1][..], &message].concat();
            assert_dropped(
                &ipv6(VM, LINK_LOCAL, 44, &fragment),
                DropReason::Antispoof(Antispoof::Unreadable),
            );
        }
        let from_nobody = ipv6(VM, NONE_IP6, 58, &message);
        if kind == 148 {
            assert_passes(&from_nobody);
        } else {
            assert_dropped(&from_nobody, DropReason::Antispoof(Antispoof::SourceIp));
        }
    }
}

#[test]
fn a_tag_hides_nothing() {
    let stacked = [(0x88a8, 7), (DOT1Q, 8)];
    for tags in [&[(DOT1Q, 0)][..], &[(DOT1Q, 7)], &stacked, &[(0x9100, 7)], &[(0x9200, 7), (0x9300, 7)]] {
        assert_passes(&frame(BROADCAST, VM, tags, &udp_rest(OWN_IP, (1, 2))));
        let spoofed = frame(BROADCAST, VM, tags, &udp_rest(OTHER_IP, (1, 2)));
        assert_dropped(&spoofed, DropReason::Antispoof(Antispoof::SourceIp));
    }
}

#[test]
fn a_subport_has_addresses_of_its_own() {
    let from_subport = |source, ip| frame(PEER_B, source, &[(DOT1Q, 100)], &udp_rest(ip, (1, 2)));
    assert_passes(&from_subport(WEB, [192, 168, 0, 1]));
    assert_verdict(
        &from_subport(VM, [192, 168, 0, 1]),
        Err(("web", DropReason::Antispoof(Antispoof::SourceMac))),
    );
    assert_verdict(&from_subport(WEB, OWN_IP), Err(("web", DropReason::Antispoof(Antispoof::SourceIp))));
}

#[test]
fn a_port_without_port_security_sends_from_any_address() {
    let sent = Switch::new(&scenario()).send("peer-a", &udp(OTHER, OTHER_IP, (1, 2)));
    assert_eq!(sent.len(), 1);
}

#[test]
fn an_invalid_pair_closes_the_port_and_is_reported() {
    let mut bad = scenario();
    bad.port_mut("vm").security = Some((vec![], vec![("10.0.0.0/33", VM)]));
    let mut switch = Switch::new(&bad);
    assert_eq!(switch.send("vm", &udp(VM, OWN_IP, (1, 2))), []);
    let problem = switch.problems().join("\n");
    let expected = ["lport vm", "allowed_address_pairs.ip_address", "10.0.0.0/33", "10.10.0.0/24"];
    assert!(expected.iter().all(|part| problem.contains(part)), "{problem}");
}
