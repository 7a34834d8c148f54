//! Ports of other hosts, reached by tunnels.

use std::net::{IpAddr, Ipv4Addr};

use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::{Decapsulate, Fit, Flood, Locate, Tunnel};

use testkit::frames::{BROADCAST, payload, tagged, tci};
use testkit::outside::{HERE_IP, Place, Segment};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;
use testkit::tunnels::TunnelPacket;

const REMOTE: Mac = [2, 0, 0, 0, 0, 0x21];
const REMOTE_WEB: Mac = [2, 0, 0, 0, 0, 0x22];
const THIRD: Mac = [2, 0, 0, 0, 0, 0x31];

pub(super) fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

pub(super) fn chassis(name: &str) -> Place {
    Place::Chassis(name.to_owned())
}

/// The VM and its peers here; on host two a port of network `a` with a subport on network `b`, on host three
/// a port of network `b`.
fn scenario() -> Scenario {
    Scenario::vm_and_peers()
        .segment("a", Segment::Tunnel("vxlan", 38))
        .segment("b", Segment::Tunnel("geneve", 38))
        .chassis("two", host(2))
        .chassis("three", host(3))
        .port("remote", 20, "a", REMOTE)
        .port("remote-web", 21, "b", REMOTE_WEB)
        .port("third", 30, "b", THIRD)
        .segmentation("s2", "remote", 7, "remote-web")
        .at("remote", chassis("two"))
        .at("third", chassis("three"))
        .uplink("eth1", 1600)
}

/// The tunnel packets that left by the uplink.
fn sent(switch: &mut Switch, link: &str, frame: &[u8]) -> Vec<TunnelPacket> {
    let sent = switch.send(link, frame);
    let outside = sent.iter().filter(|(link, _)| link == "eth1");
    outside.map(|(_, frame)| TunnelPacket::decode(frame)).collect()
}

fn to(number: u8, kind: &'static str, inner: &[u8]) -> TunnelPacket {
    TunnelPacket { source: HERE_IP, destination: host(number), kind, key: 38, inner: inner.to_vec() }
}

fn dropped(switch: &Switch, at: Option<&str>, reason: impl Into<DropReason>) -> bool {
    switch.drops() == [((at.map(str::to_owned), reason.into()), 1)].into()
}

#[test]
fn a_frame_to_a_port_of_another_host_leaves_in_the_tunnel_of_its_network() {
    let mut switch = Switch::new(&scenario());
    let frame = tagged(REMOTE, VM, &[]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(2, "vxlan", &frame)]);
    assert_eq!(switch.problems(), Vec::<String>::new());
}

#[test]
fn a_subport_reaches_a_subport_of_another_host_and_no_tag_is_on_the_wire() {
    let mut switch = Switch::new(&scenario());
    let inner = tagged(REMOTE_WEB, WEB, &[]);
    let frame = tagged(REMOTE_WEB, WEB, &[tci(5, 0, 100)]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(2, "geneve", &inner)]);
    let answer = TunnelPacket::from(host(2), "geneve", 38, &tagged(WEB, REMOTE_WEB, &[]));
    let arrived = switch.send_from_outside("eth1", &answer.encode());
    assert_eq!(arrived, [("vm".to_owned(), tagged(WEB, REMOTE_WEB, &[100]))]);
}

#[test]
fn a_tag_that_no_segmentation_has_stays_in_the_tunnel() {
    let mut switch = Switch::new(&scenario());
    let frame = tagged(REMOTE, VM, &[99]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(2, "vxlan", &frame)]);
}

#[test]
fn a_flood_goes_once_to_each_host_with_ports_of_the_network() {
    let both_there = scenario().port("fourth", 31, "b", [2, 0, 0, 0, 0, 0x32]).at("fourth", chassis("three"));
    let mut switch = Switch::new(&both_there);
    let inner = tagged(BROADCAST, WEB, &[]);
    let sent = switch.send("vm", &tagged(BROADCAST, WEB, &[100]));
    let (outside, here): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(link, _)| link == "eth1");
    assert_eq!(here, [("peer-b".to_owned(), inner.clone())]);
    let mut outside: Vec<_> = outside.iter().map(|(_, frame)| TunnelPacket::decode(frame)).collect();
    outside.sort_by_key(|packet| packet.destination);
    assert_eq!(outside, [to(2, "geneve", &inner), to(3, "geneve", &inner)]);
}

#[test]
fn what_comes_from_a_host_goes_to_ports_here_and_to_no_other_host() {
    let mut switch = Switch::new(&scenario());
    let flood = tagged(BROADCAST, THIRD, &[]);
    let packet = TunnelPacket::from(host(3), "geneve", 38, &flood);
    let mut sent = switch.send_from_outside("eth1", &packet.encode());
    sent.sort();
    assert_eq!(sent, [("peer-b".to_owned(), flood), ("vm".to_owned(), tagged(BROADCAST, THIRD, &[100]))]);
    let to_another_host = TunnelPacket::from(host(3), "geneve", 38, &tagged(REMOTE_WEB, THIRD, &[]));
    assert_eq!(switch.send_from_outside("eth1", &to_another_host.encode()), []);
    assert!(dropped(&switch, Some("three"), Tunnel::SplitHorizon), "{:?}", switch.drops());
}

#[test]
fn a_port_that_has_moved_is_heard_from_its_new_host_before_its_record_says_so() {
    let mut switch = Switch::new(&scenario());
    let frame = tagged(VM, REMOTE, &[]);
    let packet = TunnelPacket::from(host(3), "vxlan", 38, &frame);
    assert_eq!(switch.send_from_outside("eth1", &packet.encode()), [("vm".to_owned(), frame)]);
}

#[test]
fn tunnel_packets_are_accepted_for_networks_here_from_known_hosts_only() {
    let inner = tagged(VM, REMOTE, &[]);
    for (from, kind, key, at, reason) in [
        (host(9), "vxlan", 38, None, Decapsulate::UnknownPeer),
        (host(2), "vxlan", 39, Some("two"), Decapsulate::UnknownNetwork),
        (host(2), "gre", 38, Some("two"), Decapsulate::UnknownNetwork),
    ] {
        let mut switch = Switch::new(&scenario());
        let packet = TunnelPacket::from(from, kind, key, &inner);
        assert_eq!(switch.send_from_outside("eth1", &packet.encode()), [], "{packet:?}");
        assert!(dropped(&switch, at, reason), "{packet:?}: {:?}", switch.drops());
    }
}

#[test]
fn the_source_address_of_a_port_here_is_not_accepted_from_outside() {
    let mut switch = Switch::new(&scenario());
    let packet = TunnelPacket::from(host(2), "vxlan", 38, &tagged(VM, PEER_A, &[]));
    assert_eq!(switch.send_from_outside("eth1", &packet.encode()), []);
    assert!(dropped(&switch, Some("two"), Decapsulate::SourceIsLocal), "{:?}", switch.drops());
}

#[test]
fn malformed_tunnel_packets_are_dropped_by_name() {
    let inner = tagged(WEB, THIRD, &[]);
    let vxlan = TunnelPacket::from(host(2), "vxlan", 38, &tagged(VM, REMOTE, &[]));
    let geneve = TunnelPacket::from(host(3), "geneve", 38, &inner);
    let gre = TunnelPacket::from(host(3), "gre", 38, &inner);
    let mut bad_checksum = geneve.encode();
    bad_checksum[24] ^= 1;
    let mut cut = geneve.encode();
    cut.truncate(60);
    let no_frame = TunnelPacket::from(host(3), "geneve", 38, &inner[..10]).encode();
    for (name, frame, at, reason) in [
        ("no VNI", vxlan.encode_with(&[0, 0, 0, 0, 0, 0, 38, 0]), None, Decapsulate::Header),
        ("version", geneve.encode_with(&[0x40, 0, 0x65, 0x58, 0, 0, 38, 0]), None, Decapsulate::Header),
        ("IPv4 inside", geneve.encode_with(&[0, 0, 8, 0, 0, 0, 38, 0]), None, Decapsulate::Header),
        (
            "critical",
            geneve.encode_with(&[1, 0x40, 0x65, 0x58, 0, 0, 38, 0, 1, 2, 0x80, 0]),
            None,
            Decapsulate::CriticalOption,
        ),
        (
            "control",
            geneve.encode_with(&[0, 0x80, 0x65, 0x58, 0, 0, 38, 0]),
            None,
            Decapsulate::CriticalOption,
        ),
        ("source route", gre.encode_with(&[0x60, 0, 0x65, 0x58, 0, 0, 0, 38]), None, Decapsulate::Header),
        ("checksum", bad_checksum, None, Decapsulate::Checksum),
        ("cut", cut, None, Decapsulate::Truncated),
        ("too short inside", no_frame, Some("three"), Decapsulate::Truncated),
    ] {
        let mut switch = Switch::new(&scenario());
        assert_eq!(switch.send_from_outside("eth1", &frame), [], "{name}");
        assert!(dropped(&switch, at, reason), "{name}: {:?}", switch.drops());
    }
}

#[test]
fn options_that_need_not_be_understood_and_optional_gre_fields_are_skipped() {
    let inner = tagged(WEB, THIRD, &[]);
    let arrived = [("vm".to_owned(), tagged(WEB, THIRD, &[100]))];
    let geneve = TunnelPacket::from(host(3), "geneve", 38, &inner);
    let options = [2, 0, 0x65, 0x58, 0, 0, 38, 0, 1, 2, 3, 0, 1, 2, 3, 0];
    let frame = geneve.encode_with(&options);
    assert_eq!(Switch::new(&scenario()).send_from_outside("eth1", &frame), arrived);

    let by_gre = scenario().segment("b", Segment::Tunnel("gre", 0xfeed_beef));
    let gre = TunnelPacket::from(host(3), "gre", 0xfeed_beef, &inner);
    let all_fields = [0xb0, 0, 0x65, 0x58, 1, 2, 0, 0, 0xfe, 0xed, 0xbe, 0xef, 0, 0, 0, 9];
    for frame in [gre.encode(), gre.encode_with(&all_fields)] {
        assert_eq!(Switch::new(&by_gre).send_from_outside("eth1", &frame), arrived);
    }
}

#[test]
fn one_key_of_two_types_is_two_networks() {
    let mut switch = Switch::new(&scenario());
    let frame = tagged(PEER_A, REMOTE, &[]);
    let vxlan = TunnelPacket::from(host(2), "vxlan", 38, &frame);
    assert_eq!(switch.send_from_outside("eth1", &vxlan.encode()), [("peer-a".to_owned(), frame.clone())]);
    let geneve = TunnelPacket::from(host(2), "geneve", 38, &frame);
    assert_eq!(switch.send_from_outside("eth1", &geneve.encode()), []);
    assert!(dropped(&switch, Some("two"), Locate::Unknown), "{:?}", switch.drops());
}

#[test]
fn a_host_without_the_networks_type_is_a_problem_that_names_both() {
    let mut scenario = scenario();
    scenario.outside.chassis.get_mut("two").unwrap().types = vec!["geneve", "gre"];
    let mut switch = Switch::new(&scenario);
    assert_eq!(switch.send("vm", &tagged(REMOTE, VM, &[])), []);
    assert!(dropped(&switch, Some("two"), Tunnel::TypeUnsupported), "{:?}", switch.drops());
    let [problem] = &switch.problems()[..] else { panic!("{:?}", switch.problems()) };
    assert!(
        problem.starts_with("chassis two: it receives geneve, gre")
            && problem.contains("network a (vxlan 38)")
    );
}

#[test]
fn a_host_without_a_path_is_not_reached_and_the_reason_is_counted() {
    let mut switch = Switch::new(&scenario());
    for (paths, reason) in [(Some(Err(Tunnel::NoNeighbour)), Tunnel::NoNeighbour), (None, Tunnel::NoRoute)] {
        switch.compiler.set_paths(host(2), paths);
        switch.publish();
        let before = switch.drops();
        assert_eq!(switch.send("vm", &tagged(REMOTE, VM, &[])), []);
        let key = (Some("two".to_owned()), reason.into());
        assert_eq!(switch.drops().get(&key).copied(), Some(before.get(&key).copied().unwrap_or(0) + 1));
    }
}

#[test]
fn endpoints_that_are_taken_or_this_hosts_own_are_problems() {
    let taken = scenario().chassis("zwei", host(2)).port("x", 40, "a", THIRD).at("x", chassis("zwei"));
    let mut switch = Switch::new(&taken);
    assert_eq!(switch.send("vm", &tagged(THIRD, VM, &[])), []);
    assert!(dropped(&switch, Some("zwei"), Tunnel::BadEndpoint), "{:?}", switch.drops());
    let problem = "chassis zwei: its ip 192.0.2.2 belongs to chassis two already";
    assert!(switch.problems()[0].starts_with(problem), "{:?}", switch.problems());

    let own = Switch::new(&scenario().chassis("two", HERE_IP));
    assert!(
        own.problems()[0].starts_with("chassis two: its ip 192.0.2.1 is the tunnel endpoint of this host")
    );
}

#[test]
fn a_bound_port_without_a_chassis_record_is_a_problem_until_it_comes() {
    let mut incomplete = scenario();
    let two = incomplete.outside.chassis.remove("two").unwrap();
    let mut switch = Switch::new(&incomplete);
    assert_eq!(switch.send("vm", &tagged(REMOTE, VM, &[])), []);
    assert!(switch.problems().iter().all(|problem| problem.contains("table chassis has no record of it")));
    assert_eq!(switch.problems().len(), 2);
    incomplete.outside.chassis.insert("two".to_owned(), two);
    switch.follow(&incomplete);
    assert_eq!(switch.problems(), Vec::<String>::new());
    let frame = tagged(REMOTE, VM, &[]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(2, "vxlan", &frame)]);
}

#[test]
fn a_port_is_followed_from_host_to_host_with_its_subports() {
    let mut scenario = scenario();
    let mut switch = Switch::new(&scenario);
    scenario = scenario.at("remote", chassis("three"));
    switch.follow(&scenario);
    let frame = tagged(REMOTE, VM, &[]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(3, "vxlan", &frame)]);
    let inner = tagged(REMOTE_WEB, WEB, &[]);
    let to_web = tagged(REMOTE_WEB, WEB, &[100]);
    assert_eq!(sent(&mut switch, "vm", &to_web), [to(3, "geneve", &inner)]);
    // It comes here.
    scenario = scenario.at("remote", chassis("here")).link("remote");
    switch.follow(&scenario);
    assert_eq!(switch.send("vm", &frame), [("remote".to_owned(), frame)]);
    assert_eq!(switch.send("vm", &to_web), [("remote".to_owned(), tagged(REMOTE_WEB, WEB, &[7]))]);
}

#[test]
fn the_address_of_a_host_changes_and_its_ports_are_reached_at_the_new_one() {
    let mut switch = Switch::new(&scenario());
    switch.follow(&scenario().chassis("two", host(22)));
    let frame = tagged(REMOTE, VM, &[]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(22, "vxlan", &frame)]);
    let from_old = TunnelPacket::from(host(2), "vxlan", 38, &tagged(VM, REMOTE, &[]));
    assert_eq!(switch.send_from_outside("eth1", &from_old.encode()), []);
}

#[test]
fn a_hardware_vtep_is_a_host_of_its_own_or_the_chassis_with_its_address() {
    let behind = |address| scenario().port("machine", 50, "a", THIRD).at("machine", Place::Vtep(address));
    let frame = tagged(THIRD, VM, &[]);
    for number in [9, 2] {
        let mut switch = Switch::new(&behind(host(number)));
        assert_eq!(sent(&mut switch, "vm", &frame), [to(number, "vxlan", &frame)]);
        let answer = TunnelPacket::from(host(number), "vxlan", 38, &tagged(VM, THIRD, &[]));
        assert_eq!(switch.send_from_outside("eth1", &answer.encode()).len(), 1);
        let flood = sent(&mut switch, "vm", &tagged(BROADCAST, VM, &[]));
        assert_eq!(flood.len(), if number == 9 { 2 } else { 1 }, "one copy for each endpoint");
    }
}

#[test]
fn a_frame_that_does_not_fit_the_underlay_is_dropped_with_its_headers_counted() {
    let fits = |bytes: usize| {
        let mut frame = tagged(REMOTE, VM, &[]);
        frame.resize(bytes, 0);
        let mut switch = Switch::new(&scenario());
        let sent = sent(&mut switch, "vm", &frame);
        (sent.len() == 1, dropped(&switch, Some("two"), Fit::TooLong))
    };
    // 1600 less 20 of IPv4, 8 of UDP and 8 of VXLAN.
    assert_eq!(fits(1564), (true, false));
    assert_eq!(fits(1565), (false, true));
}

#[test]
fn the_flow_of_a_frame_selects_its_source_port_and_a_flow_keeps_it() {
    let mut switch = Switch::new(&scenario());
    let mut port_of = |last: u8| {
        let mut frame = tagged(REMOTE, VM, &[]);
        frame.extend(payload());
        frame[11] = last;
        let sent = switch.send("vm", &frame);
        u16::from_be_bytes([sent[0].1[34], sent[0].1[35]])
    };
    let ports: std::collections::BTreeSet<_> = (0..50).map(&mut port_of).collect();
    assert!(ports.len() > 40, "{ports:?}");
    assert_eq!(port_of(1), port_of(1));
}

#[test]
fn floods_from_other_hosts_have_a_ration_of_their_own_for_each_network() {
    let mut limited = scenario();
    limited.flood_rate = 10;
    let mut switch = Switch::new(&limited);
    switch.outlet.now = 1_000_000_000;
    let flood = TunnelPacket::from(host(3), "geneve", 38, &tagged(BROADCAST, THIRD, &[])).encode();
    let arrived: usize = (0..100).map(|_| switch.send_from_outside("eth1", &flood).len()).sum();
    assert!(arrived < 10, "{arrived}");
    assert!(switch.drops().contains_key(&(Some("three".to_owned()), Flood::Rate.into())));
    let other_network = TunnelPacket::from(host(2), "vxlan", 38, &tagged(BROADCAST, REMOTE, &[])).encode();
    assert!(!switch.send_from_outside("eth1", &other_network).is_empty());
    assert!(!switch.send("peer-a", &tagged(BROADCAST, PEER_A, &[])).is_empty(), "a guest has its own");
    assert!(!switch.send("peer-b", &tagged(BROADCAST, PEER_B, &[])).is_empty());
}

#[test]
fn an_uplink_of_another_worker_gets_the_packet_by_its_queue() {
    let mut other_worker = scenario();
    other_worker.outside.uplinks[0].worker = 1;
    let mut switch = Switch::new(&other_worker);
    let frame = tagged(REMOTE, VM, &[]);
    assert_eq!(sent(&mut switch, "vm", &frame), [to(2, "vxlan", &frame)]);
    let flood = tagged(BROADCAST, WEB, &[100]);
    assert_eq!(sent(&mut switch, "vm", &flood).len(), 2);
    // Meanwhile the host has gone, and another has its place.
    switch.receive_on(trunkpath::tables::LinkSlot(0), &frame);
    let mut later = other_worker.clone();
    later.outside.chassis.remove("two");
    later = later.chassis("four", host(4)).at("third", chassis("four"));
    switch.follow(&later);
    switch.take_waiting();
    assert_eq!(switch.sent(), []);
}

#[test]
fn a_flood_that_reaches_nobody_is_counted_once_at_each_receiver() {
    let mut switch = Switch::new(&scenario());
    switch.compiler.set_paths(host(2), None);
    switch.publish();
    let mut alone = scenario();
    alone.links.retain(|link| link.port == "vm");
    switch.follow(&alone);
    switch.compiler.set_paths(host(2), Some(Err(Tunnel::NoNeighbour)));
    switch.publish();
    assert_eq!(switch.send("vm", &tagged(BROADCAST, VM, &[])), []);
    assert!(dropped(&switch, Some("two"), Tunnel::NoNeighbour), "{:?}", switch.drops());
}
