//! Addresses of `allowed_address_pairs` as destinations: frames go to the port that claims one; of several,
//! to the one that announced it last.

use std::net::Ipv6Addr;

use trunkpath::tables::TableDump;
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Locate;

use super::announcements::{arp, ipv6, link_layer, neighbour};
use testkit::frames::tagged;
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::{Sent, Switch};

/// Address of a virtual router by VRRP (RFC 9568, 7.3).
const VIRTUAL: Mac = [0, 0, 0x5e, 0, 1, 0x33];
const VIRTUAL_IP: [u8; 4] = [10, 0, 1, 9];
const PEER_C: Mac = [2, 0, 0, 0, 0, 0x0c];
const PEER_D: Mac = [2, 0, 0, 0, 0, 0x0d];
const SECOND: u64 = 1_000_000_000;

/// Four ports on network `a`, each with a link; three of them claim [`VIRTUAL`].
fn router_and_backups() -> Scenario {
    Scenario::vm_and_peers()
        .port("peer-c", 12, "a", PEER_C)
        .port("peer-d", 13, "a", PEER_D)
        .link("peer-c")
        .link("peer-d")
        .pair("vm", VIRTUAL)
        .pair("peer-c", VIRTUAL)
        .pair("peer-d", VIRTUAL)
}

/// The link that a frame from `peer-a` to [`VIRTUAL`] leaves by.
fn holder(switch: &mut Switch) -> Option<String> {
    let sent = switch.send("peer-a", &tagged(VIRTUAL, PEER_A, &[]));
    assert!(sent.len() <= 1, "{sent:?}");
    sent.into_iter().next().map(|(link, _)| link)
}

fn assert_holder(switch: &mut Switch, expected: &str) {
    assert_eq!(holder(switch).as_deref(), Some(expected));
}

/// A frame from the link of `port` with source address [`VIRTUAL`].
fn announce(switch: &mut Switch, port: &str) -> Vec<Sent> {
    switch.send(port, &tagged(PEER_A, VIRTUAL, &[]))
}

/// Addresses that moved to `port`, and moves that were refused.
fn moves(switch: &Switch, port: &str) -> (u64, u64) {
    let totals = switch.compiler.counters().totals().find(|(lport, _)| *lport == port).unwrap().1;
    (totals.address_moves, totals.refused_address_moves)
}

#[test]
fn a_port_is_reached_at_the_address_of_its_pair() {
    let mut secured = Scenario::vm_and_peers();
    secured.port_mut("vm").security = Some((vec!["10.0.0.1"], vec![("10.0.1.9", VIRTUAL)]));
    for scenario in [Scenario::vm_and_peers().pair("vm", VIRTUAL), secured] {
        let mut switch = Switch::new(&scenario);
        assert_holder(&mut switch, "vm");
        assert_eq!(switch.send("vm", &tagged(VIRTUAL, VM, &[])), [], "no echo");
        assert_eq!(switch.drops()[&(Some("vm".to_owned()), DropReason::Locate(Locate::IsSource))], 1);
        assert_eq!(switch.send("peer-b", &tagged(VIRTUAL, PEER_B, &[])), [], "another network");
        switch.follow(&Scenario::vm_and_peers());
        assert_eq!(holder(&mut switch), None);
    }
}

#[test]
fn a_subport_is_reached_at_the_address_of_its_pair() {
    let mut switch = Switch::new(&Scenario::vm_and_peers().pair("web", VIRTUAL));
    let sent = switch.send("peer-b", &tagged(VIRTUAL, PEER_B, &[]));
    assert_eq!(sent, [("vm".to_owned(), tagged(VIRTUAL, PEER_B, &[100]))]);
}

#[test]
fn of_several_ports_the_last_that_sent_from_an_address_has_it() {
    let mut switch = Switch::new(&router_and_backups());
    assert_eq!(holder(&mut switch), None);
    assert_eq!(switch.drops()[&(Some("peer-a".to_owned()), DropReason::Locate(Locate::Unknown))], 1);
    for (tick, port) in ["vm", "peer-c", "peer-d", "vm"].into_iter().enumerate() {
        switch.outlet.now = (tick as u64 + 1) * SECOND;
        assert_eq!(announce(&mut switch, port).len(), 1, "the frame itself is forwarded");
        assert_holder(&mut switch, port);
    }
    assert_eq!(moves(&switch, "vm"), (2, 0));
    let sent = switch.send("peer-a", &tagged(VM, VIRTUAL, &[]));
    assert_eq!(sent.len(), 1, "of a port that does not claim the address");
    assert_holder(&mut switch, "vm");
}

#[test]
fn a_frame_to_the_address_from_another_claimant_goes_to_the_holder() {
    let mut switch = Switch::new(&router_and_backups());
    announce(&mut switch, "vm");
    assert_eq!(switch.send("peer-c", &tagged(VIRTUAL, PEER_C, &[])).len(), 1);
    assert_eq!(switch.send("vm", &tagged(VIRTUAL, VM, &[])), []);
    assert_eq!(switch.drops()[&(Some("vm".to_owned()), DropReason::Locate(Locate::IsSource))], 1);
}

#[test]
fn an_address_moves_once_a_second_and_moves_and_refusals_are_counted() {
    let mut switch = Switch::new(&router_and_backups());
    switch.outlet.now = 7 * SECOND;
    announce(&mut switch, "vm");
    for (later_ms, port, expected) in
        [(0, "peer-c", "vm"), (999, "peer-c", "vm"), (1000, "peer-c", "peer-c"), (1999, "vm", "peer-c")]
    {
        switch.outlet.now = 7 * SECOND + later_ms * 1_000_000;
        announce(&mut switch, port);
        assert_holder(&mut switch, expected);
    }
    assert_eq!(moves(&switch, "vm"), (1, 1));
    assert_eq!(moves(&switch, "peer-c"), (1, 2));
}

#[test]
fn arp_and_neighbour_discovery_announce_regardless_of_the_frames_source() {
    const ADVERTISEMENT: u8 = 136;
    let ip6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let advertisement = neighbour(ADVERTISEMENT, ip6, &link_layer(2, VIRTUAL));
    for gratuitous in [
        arp(PEER_C, 1, VIRTUAL, VIRTUAL_IP),
        arp(PEER_C, 2, VIRTUAL, VIRTUAL_IP),
        ipv6(PEER_C, ip6, 58, &advertisement),
    ] {
        let mut switch = Switch::new(&router_and_backups());
        announce(&mut switch, "vm");
        switch.outlet.now = SECOND;
        switch.send("peer-c", &gratuitous);
        assert_holder(&mut switch, "peer-c");
        assert_eq!(moves(&switch, "peer-c"), (1, 0));
    }
}

#[test]
fn what_port_security_drops_announces_nothing() {
    let mut scenario = router_and_backups();
    scenario.port_mut("peer-c").security = Some((vec!["10.0.0.3"], vec![]));
    let mut switch = Switch::new(&scenario);
    announce(&mut switch, "vm");
    switch.outlet.now = SECOND;
    assert_eq!(switch.send("peer-c", &arp(PEER_C, 2, VIRTUAL, VIRTUAL_IP)), [], "another IP address");
    assert_holder(&mut switch, "vm");
    assert_eq!(moves(&switch, "peer-c"), (0, 0));
    switch.send("peer-c", &arp(PEER_C, 2, VIRTUAL, [10, 0, 9, 9]));
    assert_holder(&mut switch, "peer-c");
}

#[test]
fn a_frame_that_cannot_be_parsed_announces_its_source() {
    let mut switch = Switch::new(&router_and_backups());
    let mut cut = arp(VIRTUAL, 2, VIRTUAL, VIRTUAL_IP);
    cut.truncate(30);
    switch.send("peer-d", &cut);
    assert_holder(&mut switch, "peer-d");
}

#[test]
fn when_the_holder_is_down_the_first_frame_of_another_claimant_takes_the_address_at_once() {
    let scenario = router_and_backups();
    let mut down = scenario.clone();
    down.port_mut("vm").enabled = false;
    let mut switch = Switch::new(&scenario);
    announce(&mut switch, "vm");
    switch.follow(&down);
    assert_eq!(holder(&mut switch), None);
    announce(&mut switch, "peer-d");
    assert_holder(&mut switch, "peer-d");
    switch.follow(&scenario);
    assert_holder(&mut switch, "peer-d");
    announce(&mut switch, "vm");
    assert_holder(&mut switch, "peer-d");
}

#[test]
fn the_only_claimant_left_has_the_address_and_keeps_it_when_others_come() {
    let one = Scenario { links: router_and_backups().links, ..Scenario::vm_and_peers() }
        .port("peer-c", 12, "a", PEER_C)
        .pair("vm", VIRTUAL);
    let two = one.clone().pair("peer-c", VIRTUAL);
    let mut switch = Switch::new(&two);
    announce(&mut switch, "peer-c");
    switch.follow(&one);
    assert_holder(&mut switch, "vm");
    switch.follow(&two);
    assert_holder(&mut switch, "vm");
    switch.outlet.now = SECOND;
    announce(&mut switch, "peer-c");
    assert_holder(&mut switch, "peer-c");
}

#[test]
fn a_pair_never_takes_the_own_address_of_a_port_even_of_one_that_is_down_or_elsewhere() {
    let claims = || Scenario::vm_and_peers().pair("vm", PEER_C).pair("vm", PEER_A);
    let mut disabled = claims().port("peer-c", 12, "a", PEER_C).link("peer-c");
    disabled.port_mut("peer-c").enabled = false;
    let mut switch = Switch::new(&claims());
    let to = |switch: &mut Switch, mac| switch.send("peer-a", &tagged(mac, PEER_A, &[])).len();
    assert_eq!(to(&mut switch, PEER_C), 1);
    assert_eq!(switch.send("peer-b", &tagged(PEER_A, PEER_B, &[])), []);
    for owned in [claims().port("peer-c", 12, "a", PEER_C), disabled] {
        switch.follow(&owned);
        assert_eq!(to(&mut switch, PEER_C), 0);
        switch.follow(&claims().port("peer-c", 12, "a", PEER_D));
        assert_eq!(to(&mut switch, PEER_C), 1, "the owner has another address");
        switch.follow(&owned);
        assert_eq!(to(&mut switch, PEER_C), 0);
        switch.follow(&claims().port("peer-c", 12, "b", PEER_C));
        assert_eq!(to(&mut switch, PEER_C), 1, "the owner is on another network");
    }
    assert_eq!(switch.send("peer-b", &tagged(PEER_C, PEER_B, &[])), []);
    switch.follow(&claims().port("peer-c", 12, "a", PEER_C).link("peer-c"));
    let to_owner = switch.send("peer-a", &tagged(PEER_C, PEER_A, &[]));
    assert_eq!(to_owner, [("peer-c".to_owned(), tagged(PEER_C, PEER_A, &[]))]);
    switch.send("vm", &tagged(PEER_A, PEER_C, &[]));
    assert_eq!(moves(&switch, "vm"), (0, 0));
}

#[test]
fn ports_behind_one_link_share_an_address() {
    let scenario = Scenario::vm_and_peers()
        .port("pod", 3, "a", PEER_C)
        .segmentation("s2", "vm", 200, "pod")
        .pair("vm", VIRTUAL)
        .pair("pod", VIRTUAL);
    let mut switch = Switch::new(&scenario);
    let to_virtual = tagged(VIRTUAL, PEER_A, &[]);
    for (tick, tags) in [&[][..], &[200], &[]].into_iter().enumerate() {
        switch.outlet.now = (tick as u64 + 1) * SECOND;
        switch.send("vm", &tagged(PEER_A, VIRTUAL, tags));
        let sent = switch.send("peer-a", &to_virtual);
        assert_eq!(sent, [("vm".to_owned(), tagged(VIRTUAL, PEER_A, tags))]);
    }
}

#[test]
fn the_holder_outlives_other_tables_and_another_link_of_its_port() {
    let scenario = router_and_backups();
    let mut switch = Switch::new(&scenario);
    announce(&mut switch, "peer-c");
    switch.follow(&scenario.clone().port("new", 20, "a", WEB).link("new"));
    assert_holder(&mut switch, "peer-c");
    let mut without = scenario.clone();
    without.links.retain(|link| link.port != "peer-c");
    switch.follow(&without);
    assert_eq!(holder(&mut switch), None);
    switch.follow(&without.link("peer-c"));
    assert_holder(&mut switch, "peer-c");
}

#[test]
fn the_holder_is_no_difference_between_tables() {
    let mut switch = Switch::new(&router_and_backups());
    let mut fresh = Switch::new(&router_and_backups());
    announce(&mut switch, "vm");
    let dump = |switch: &mut Switch| TableDump::of(&switch.compiler, &switch.tables);
    assert_eq!(dump(&mut switch).differences(&dump(&mut fresh)), Vec::<String>::new());
    let mut fewer = Switch::new(&Scenario { links: router_and_backups().links, ..Scenario::vm_and_peers() });
    assert!(!dump(&mut switch).differences(&dump(&mut fewer)).is_empty());
}

#[test]
fn a_pair_with_a_group_address_is_reported() {
    let switch = Switch::new(&Scenario::vm_and_peers().pair("vm", [1, 0, 0, 0, 0, 1]));
    let problems = switch.problems();
    assert!(
        problems.len() == 1 && problems[0].starts_with("lport vm: its address 01:00:00:00:00:01"),
        "{problems:?}"
    );
}
