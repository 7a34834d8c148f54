//! The rules of the datapath, one example each.

use std::collections::BTreeMap;

use trunkpath::types::DropReason;
use trunkpath::types::ReservedMulticast;
use trunkpath::types::drop_reason::{Admit, Classify, Fit, Flood, Locate};

use testkit::frames::{BROADCAST, Checksum, Packet, frame, payload, tagged, tci};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::{Sent, Switch};

/// Asserts that `bytes` from the VM arrive unchanged at its peer on network `a`.
fn assert_passes_as_is(bytes: &[u8]) {
    let sent = Switch::new(&Scenario::vm_and_peers()).send("vm", bytes);
    assert_eq!(sent, [("peer-a".to_owned(), bytes.to_vec())]);
}

/// Asserts that `bytes` from `link` are dropped for `reason`, counted on `port`.
fn assert_dropped(scenario: &Scenario, link: &str, bytes: &[u8], port: &str, reason: DropReason) {
    let mut switch = Switch::new(scenario);
    assert_eq!(switch.send(link, bytes), []);
    assert_eq!(switch.drops(), [((Some(port.to_owned()), reason), 1)].into());
}

fn by(link: &str, bytes: Vec<u8>) -> [Sent; 1] {
    [(link.to_owned(), bytes)]
}

#[test]
fn a_tag_that_no_segmentation_has_stays_as_it_came() {
    for vid in [0, 1, 99, 101, 4094, 4095] {
        assert_passes_as_is(&tagged(PEER_A, VM, &[tci(3, 1, vid)]));
    }
    for tpid in [0x88a8, 0x9100] {
        assert_passes_as_is(&frame(PEER_A, VM, &[(tpid, 100)], &payload()));
    }
}

#[test]
fn a_port_that_drops_unknown_tags_accepts_priority_tags_and_its_segmentations() {
    let scenario = Scenario::vm_and_peers().strict("vm");
    for vid in [1, 99, 101, 4094, 4095] {
        let unknown = tagged(PEER_A, VM, &[tci(3, 1, vid)]);
        assert_dropped(&scenario, "vm", &unknown, "vm", DropReason::Classify(Classify::UnknownTag));
    }
    let service_tagged = frame(PEER_A, VM, &[(0x88a8, 100)], &payload());
    assert_dropped(&scenario, "vm", &service_tagged, "vm", DropReason::Classify(Classify::UnknownTag));
    let older_stacked = frame(PEER_A, VM, &[(0x9100, 100)], &payload());
    for no_vlans in [tagged(PEER_A, VM, &[tci(5, 0, 0)]), older_stacked] {
        assert_eq!(Switch::new(&scenario).send("vm", &no_vlans), by("peer-a", no_vlans));
    }
    let known = Switch::new(&scenario).send("vm", &tagged(PEER_B, WEB, &[100]));
    assert_eq!(known, by("peer-b", tagged(PEER_B, WEB, &[])));
}

#[test]
fn a_neighbour_cannot_send_a_guest_a_frame_that_looks_like_one_of_its_subports() {
    let scenario = Scenario::vm_and_peers();
    for destination in [VM, BROADCAST] {
        let disguised = tagged(destination, PEER_A, &[100]);
        assert_dropped(&scenario, "peer-a", &disguised, "vm", DropReason::Admit(Admit::TagRefused));
    }
    let other = tagged(VM, PEER_A, &[101]);
    assert_eq!(Switch::new(&scenario).send("peer-a", &other), by("vm", other.clone()));
    let strict = scenario.strict("vm");
    assert_dropped(&strict, "peer-a", &other, "vm", DropReason::Admit(Admit::TagRefused));
}

#[test]
fn only_a_guest_that_floods_has_its_copies_limited() {
    let mut scenario = Scenario::vm_and_peers().port("third", 12, "a", [2, 0, 0, 0, 0, 0x0c]).link("third");
    scenario.flood_rate = 1000;
    let mut switch = Switch::with_chunks(&scenario, 8);
    let mut copies = |from: &str, now: u64| {
        switch.outlet.now = now;
        switch.send(from, &tagged(BROADCAST, VM, &[])).len()
    };
    let storm: usize = (0..100_000).map(|tick| copies("vm", 1_000_000_000 + tick * 10_000)).sum();
    assert_eq!(storm, 1100, "a second of 1,000, and the tenth that was saved up");
    assert_eq!(copies("peer-a", 2_000_000_000), 2);
    assert_eq!(copies("vm", 2_100_000_000), 2, "after a pause");
}

#[test]
fn only_the_outermost_tag_selects_a_subport() {
    assert_passes_as_is(&tagged(PEER_A, VM, &[7, 100]));
    let sent = Switch::new(&Scenario::vm_and_peers()).send("vm", &tagged(PEER_B, WEB, &[100, 100]));
    assert_eq!(sent, by("peer-b", tagged(PEER_B, WEB, &[100])));
}

#[test]
fn a_pushed_tag_stacks_on_one_that_is_there_and_has_its_priority() {
    let inner = [tci(5, 1, 7)];
    let sent = Switch::new(&Scenario::vm_and_peers()).send("peer-b", &tagged(WEB, PEER_B, &inner));
    assert_eq!(sent, by("vm", tagged(WEB, PEER_B, &[tci(5, 1, 100), inner[0]])));
}

#[test]
fn priority_survives_from_one_subport_to_another() {
    let db: Mac = [2, 0, 0, 0, 0, 3];
    let scenario = Scenario::vm_and_peers().port("db", 3, "b", db).segmentation("s2", "vm", 200, "db");
    for (pcp, dei) in (0..8).flat_map(|pcp| [(pcp, 0), (pcp, 1)]) {
        let sent = Switch::new(&scenario).send("vm", &tagged(db, WEB, &[tci(pcp, dei, 100)]));
        assert_eq!(sent, by("vm", tagged(db, WEB, &[tci(pcp, dei, 200)])), "out of the link it came from");
    }
}

#[test]
fn parent_and_subport_may_have_one_address_in_two_networks() {
    let mut switch = Switch::new(&Scenario::vm_and_peers().port("web", 2, "b", VM));
    assert_eq!(switch.send("peer-a", &tagged(VM, PEER_A, &[])), by("vm", tagged(VM, PEER_A, &[])));
    assert_eq!(switch.send("peer-b", &tagged(VM, PEER_B, &[])), by("vm", tagged(VM, PEER_B, &[100])));
}

#[test]
fn a_frame_shorter_than_its_headers_is_dropped() {
    let scenario = Scenario::vm_and_peers();
    let plain = tagged(PEER_A, VM, &[]);
    assert_dropped(&scenario, "vm", &plain[..13], "vm", DropReason::Classify(Classify::Truncated));
    let to_subport = tagged(PEER_B, WEB, &[100]);
    assert_dropped(&scenario, "vm", &to_subport[..17], "vm", DropReason::Classify(Classify::Truncated));
    let stacked = tagged(PEER_B, WEB, &[100, 7]);
    assert_dropped(&scenario, "vm", &stacked[..21], "web", DropReason::Classify(Classify::Truncated));
}

#[test]
fn a_full_frame_has_room_for_one_tag_and_not_for_two() {
    let mut full = tagged(WEB, PEER_B, &[]);
    full.resize(1514, 0);
    let with_tags = |tags: &[u16]| [&tagged(WEB, PEER_B, tags)[..12 + 4 * tags.len()], &full[12..]].concat();
    let sent = Switch::new(&Scenario::vm_and_peers()).send("peer-b", &full);
    assert_eq!(sent, by("vm", with_tags(&[100])));
    assert_dropped(
        &Scenario::vm_and_peers(),
        "peer-b",
        &with_tags(&[7]),
        "web",
        DropReason::Fit(Fit::TooLong),
    );
}

#[test]
fn a_source_address_is_a_stations() {
    for (source, drops) in
        [([0; 6], 1), ([3, 0, 0, 0, 0, 1], 1), (BROADCAST, 1), (PEER_B, 0), ([0, 0, 0, 0, 0, 1], 0)]
    {
        let mut switch = Switch::new(&Scenario::vm_and_peers());
        let sent = switch.send("vm", &frame(PEER_A, source, &[], &payload())).len();
        let dropped =
            switch.drops().get(&(Some("vm".into()), DropReason::Locate(Locate::SourceInvalid))).copied();
        assert_eq!((sent, dropped.unwrap_or_default()), (1 - drops, drops as u64), "{source:02x?}");
    }
}

#[test]
fn reserved_multicasts_are_dropped_unless_configured_to_pass() {
    let to = |last| frame([0x01, 0x80, 0xc2, 0, 0, last], VM, &[], &payload());
    let mut scenario = Scenario::vm_and_peers();
    let mut switch = Switch::new(&scenario);
    for last in [0, 1, 2, 3, 0x0e, 0x0f] {
        assert_eq!(switch.send("vm", &to(last)), [], "{last}");
    }
    assert_eq!(
        switch.drops(),
        BTreeMap::from([((Some("vm".into()), DropReason::Locate(Locate::Reserved)), 6)])
    );
    assert_eq!(switch.send("vm", &to(0x10)).len(), 1);
    scenario.reserved_multicast = ReservedMulticast::Pass;
    assert_eq!(Switch::new(&scenario).send("vm", &to(0x0e)).len(), 1);
}

#[test]
fn a_frame_without_a_receiver_is_dropped() {
    let scenario = Scenario::vm_and_peers();
    let stranger: Mac = [2, 0, 0, 0, 0, 0x55];
    assert_dropped(&scenario, "vm", &tagged(stranger, VM, &[]), "vm", DropReason::Locate(Locate::Unknown));
    assert_dropped(&scenario, "vm", &tagged(PEER_B, VM, &[]), "vm", DropReason::Locate(Locate::Unknown));
    assert_dropped(&scenario, "vm", &tagged(WEB, WEB, &[100]), "web", DropReason::Locate(Locate::IsSource));
    let mut alone = scenario;
    alone.port_mut("peer-b").enabled = false;
    assert_dropped(
        &alone,
        "vm",
        &tagged(BROADCAST, WEB, &[100]),
        "web",
        DropReason::Flood(Flood::NoReceiver),
    );
}

#[test]
fn a_subport_is_down_with_its_parent() {
    let mut disabled = Scenario::vm_and_peers();
    disabled.port_mut("vm").enabled = false;
    let mut unplugged = Scenario::vm_and_peers();
    unplugged.links[0].up = false;
    for scenario in [disabled, unplugged] {
        assert_dropped(
            &scenario,
            "vm",
            &tagged(PEER_B, WEB, &[100]),
            "web",
            DropReason::Classify(Classify::PortDown),
        );
        assert_dropped(
            &scenario,
            "vm",
            &tagged(PEER_A, VM, &[]),
            "vm",
            DropReason::Classify(Classify::PortDown),
        );
        assert_dropped(
            &scenario,
            "peer-b",
            &tagged(WEB, PEER_B, &[]),
            "peer-b",
            DropReason::Locate(Locate::Unknown),
        );
    }
}

#[test]
fn a_partial_checksum_is_completed_if_the_link_requires_it() {
    let packet = |checksum| Packet::new(false, 17, checksum, b"hello").bytes();
    let [partial, complete] = [Checksum::Partial, Checksum::Complete].map(packet);
    let mut scenario = Scenario::vm_and_peers();
    for (on, expected) in [(true, complete), (false, partial.clone())] {
        scenario.links[0].complete_checksums = on;
        let sent = Switch::new(&scenario).send("vm", &frame(PEER_B, WEB, &[(0x8100, 100)], &partial));
        assert_eq!(sent, by("peer-b", frame(PEER_B, WEB, &[], &expected)));
    }
}
