//! Provider networks: the ports here, and everything that the physical network connects.

use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::{Decapsulate, Locate};

use super::remote::{chassis, host};
use testkit::frames::{BROADCAST, tagged, tci};
use testkit::outside::Segment;
use testkit::scenario::{Mac, PEER_B, Scenario, VM, WEB};
use testkit::switch::{Sent, Switch};

const MACHINE: Mac = [2, 0, 0, 0, 0, 0x61];
const SHARED: Mac = [0, 0, 0x5e, 0, 1, 7];

/// Network `b` is VLAN 1234 of the physical network behind eth1; the VM has it behind its own tag 100.
fn scenario() -> Scenario {
    Scenario::vm_and_peers().segment("b", Segment::Vlan("eth1", 1234)).uplink("eth1", 1500)
}

fn by(link: &str, bytes: Vec<u8>) -> Sent {
    (link.to_owned(), bytes)
}

#[test]
fn a_subports_tag_and_the_tag_on_the_wire_are_unrelated_and_the_priority_is_kept() {
    let mut switch = Switch::new(&scenario());
    let out = switch.send("vm", &tagged(MACHINE, WEB, &[tci(5, 1, 100)]));
    assert_eq!(out, [by("eth1", tagged(MACHINE, WEB, &[tci(5, 1, 1234)]))]);
    let back = switch.send_from_outside("eth1", &tagged(WEB, MACHINE, &[tci(3, 0, 1234)]));
    assert_eq!(back, [by("vm", tagged(WEB, MACHINE, &[tci(3, 0, 100)]))]);
    assert_eq!(switch.problems(), Vec::<String>::new());
}

#[test]
fn an_unknown_address_is_on_the_wire_for_ports_here_and_nowhere_for_the_wire() {
    let mut switch = Switch::new(&scenario());
    assert_eq!(switch.send("peer-b", &tagged(MACHINE, PEER_B, &[])).len(), 1);
    assert_eq!(switch.send_from_outside("eth1", &tagged([2, 0, 0, 0, 0, 0x99], MACHINE, &[1234])), []);
    assert_eq!(switch.drops(), [((Some("b".to_owned()), DropReason::Locate(Locate::Unknown)), 1)].into());
}

#[test]
fn floods_go_to_ports_here_and_to_the_wire_and_never_back() {
    let mut switch = Switch::new(&scenario());
    let mut out = switch.send("vm", &tagged(BROADCAST, WEB, &[100]));
    out.sort();
    assert_eq!(out, [by("eth1", tagged(BROADCAST, WEB, &[1234])), by("peer-b", tagged(BROADCAST, WEB, &[]))]);
    let mut back = switch.send_from_outside("eth1", &tagged(BROADCAST, MACHINE, &[1234]));
    back.sort();
    assert_eq!(
        back,
        [by("peer-b", tagged(BROADCAST, MACHINE, &[])), by("vm", tagged(BROADCAST, MACHINE, &[100]))]
    );
}

#[test]
fn the_address_of_a_port_here_is_not_accepted_from_the_wire() {
    let mut switch = Switch::new(&scenario());
    assert_eq!(switch.send_from_outside("eth1", &tagged(WEB, PEER_B, &[1234])), []);
    let dropped = DropReason::Decapsulate(Decapsulate::SourceIsLocal);
    assert_eq!(switch.drops(), [((Some("b".to_owned()), dropped), 1)].into());
}

#[test]
fn a_flat_network_has_the_untagged_frames_beside_vlans_of_the_same_link() {
    let both = scenario().segment("a", Segment::Flat("eth1"));
    let mut switch = Switch::new(&both);
    let out = switch.send("vm", &tagged(MACHINE, VM, &[]));
    assert_eq!(out, [by("eth1", tagged(MACHINE, VM, &[]))]);
    let back = switch.send_from_outside("eth1", &tagged(VM, MACHINE, &[]));
    assert_eq!(back, [by("vm", tagged(VM, MACHINE, &[]))]);
    let other = switch.send_from_outside("eth1", &tagged(WEB, MACHINE, &[1234]));
    assert_eq!(other, [by("vm", tagged(WEB, MACHINE, &[100]))]);
    let steering = switch.compiler.take_steering().unwrap();
    assert!(steering[0].1.has_untagged && steering[0].1.vids.len() == 1, "{steering:?}");
}

#[test]
fn two_physical_networks_may_have_the_same_vlan() {
    let two = scenario().segment("a", Segment::Vlan("eth2", 1234)).uplink("eth2", 1500);
    let mut switch = Switch::new(&two);
    assert_eq!(switch.send("vm", &tagged(MACHINE, VM, &[])), [by("eth2", tagged(MACHINE, VM, &[1234]))]);
    assert_eq!(
        switch.send_from_outside("eth2", &tagged(VM, MACHINE, &[1234])),
        [by("vm", tagged(VM, MACHINE, &[]))]
    );
    assert_eq!(
        switch.send_from_outside("eth1", &tagged(WEB, MACHINE, &[1234])),
        [by("vm", tagged(WEB, MACHINE, &[100]))]
    );
}

#[test]
fn tunnels_and_vlans_share_a_link() {
    let mixed = scenario()
        .segment("a", Segment::Tunnel("vxlan", 7))
        .chassis("two", host(2))
        .port("remote", 20, "a", MACHINE)
        .at("remote", chassis("two"));
    let mut switch = Switch::new(&mixed);
    let frame = tagged(MACHINE, VM, &[]);
    let out = switch.send("vm", &frame);
    assert_eq!(testkit::tunnels::TunnelPacket::decode(&out[0].1).inner, frame);
    assert_eq!(
        switch.send_from_outside("eth1", &tagged(WEB, MACHINE, &[1234])),
        [by("vm", tagged(WEB, MACHINE, &[100]))]
    );
}

#[test]
fn a_shared_address_moves_between_here_and_the_wire_with_its_announcements() {
    let shared = scenario()
        .pair("peer-b", SHARED)
        .port("elsewhere", 20, "b", MACHINE)
        .pair("elsewhere", SHARED)
        .chassis("two", host(2))
        .at("elsewhere", chassis("two"));
    let mut switch = Switch::new(&shared);
    switch.outlet.now = 10_000_000_000;
    let to_shared = tagged(SHARED, WEB, &[100]);
    switch.send("peer-b", &tagged(BROADCAST, SHARED, &[]));
    assert_eq!(switch.send("vm", &to_shared), [by("peer-b", tagged(SHARED, WEB, &[]))]);
    switch.outlet.now += 2_000_000_000;
    switch.send_from_outside("eth1", &tagged(BROADCAST, SHARED, &[1234]));
    assert_eq!(switch.send("vm", &to_shared), [by("eth1", tagged(SHARED, WEB, &[1234]))]);
}

#[test]
fn what_is_wrong_with_a_provider_network_is_said() {
    let problems = |scenario: Scenario| Switch::new(&scenario).problems();
    let unmapped = problems(scenario().segment("a", Segment::Flat("physnet9")));
    assert_eq!(unmapped.len(), 1);
    assert!(unmapped[0].contains("physical network physnet9 is mapped to no link here"), "{unmapped:?}");
    let taken = problems(scenario().segment("a", Segment::Vlan("eth1", 1234)));
    assert!(
        taken[0].contains("its segment (VLAN 1234 of physical network eth1) belongs to network a"),
        "{taken:?}"
    );
    let invalid = problems(scenario().segment("a", Segment::Vlan("eth1", 4095)));
    assert!(invalid[0].starts_with("lswitch a: segmentation_id 4095 is not a VLAN id"), "{invalid:?}");
}

#[test]
fn a_network_without_a_port_here_is_not_received() {
    let mut switch = Switch::new(&scenario());
    let mut gone = scenario();
    gone.links.retain(|link| link.port == "peer-a");
    switch.compiler.take_steering();
    switch.follow(&gone);
    let steering = switch.compiler.take_steering().unwrap();
    assert_eq!((steering[0].1.vids.len(), steering[0].1.has_untagged), (0, false));
    assert_eq!(switch.send_from_outside("eth1", &tagged(WEB, MACHINE, &[1234])), []);
}

#[test]
fn a_flat_network_does_not_share_its_link_with_an_address_of_the_host() {
    let mut flat = scenario().segment("a", Segment::Flat("eth1"));
    flat.outside.uplinks[0].host_address = Some(host(1));
    let mut switch = Switch::new(&flat);
    assert!(
        switch.problems()[0].contains("the host itself has 192.0.2.1 on its link eth1"),
        "{:?}",
        switch.problems()
    );
    assert_eq!(switch.send("vm", &tagged(MACHINE, VM, &[])), []);
    assert_eq!(switch.send_from_outside("eth1", &tagged(VM, MACHINE, &[])), []);
    let vlan = switch.send("vm", &tagged(MACHINE, WEB, &[100]));
    assert_eq!(vlan, [by("eth1", tagged(MACHINE, WEB, &[1234]))]);
    flat.outside.uplinks[0].host_address = None;
    switch.follow(&flat);
    assert_eq!(switch.problems(), Vec::<String>::new());
    assert_eq!(switch.send("vm", &tagged(MACHINE, VM, &[])), [by("eth1", tagged(MACHINE, VM, &[]))]);
}
