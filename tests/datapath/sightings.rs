//! Mistakes of guests are recorded by value, regardless of the outcome of the frame.

use trunkpath::packet::TagId;
use trunkpath::tables::Sighting;
use trunkpath::types::DropReason;
use trunkpath::types::MacAddr;
use trunkpath::types::drop_reason::Antispoof;

use testkit::frames::{BROADCAST, frame, payload, tagged, tci};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

const STAG: u16 = 0x88a8;
const OTHER: Mac = [2, 0, 0, 0, 0, 0x66];

/// The unknown tags of `port`: TPID, VID, frames, last seen.
fn unknown_tags(switch: &Switch, port: &str) -> Vec<(u16, u16, u64, u64)> {
    let seen = switch.compiler.counters().get(port).unwrap().unknown_tags();
    let parts = |Sighting { value: TagId { tpid, vid }, frames, last_seen }| (tpid, vid, frames, last_seen);
    seen.into_iter().map(parts).collect()
}

fn refused_macs(switch: &Switch, port: &str) -> Vec<(MacAddr, u64)> {
    let seen = switch.compiler.counters().get(port).unwrap().refused_macs();
    seen.into_iter().map(|seen| (seen.value, seen.frames)).collect()
}

/// Sends frames with these VIDs, one per nanosecond.
fn send(switch: &mut Switch, vids: &[u16]) -> usize {
    let send = |(now, vid): (u64, &u16)| {
        switch.outlet.now = now;
        switch.send("vm", &tagged(PEER_A, VM, &[tci(now as u16 % 8, 0, *vid)])).len()
    };
    (1..).zip(vids).map(send).sum()
}

#[test]
fn a_tag_that_no_segmentation_has_is_counted_by_vid_whether_it_passes_or_not() {
    for (scenario, passed) in [(Scenario::vm_and_peers(), 4), (Scenario::vm_and_peers().strict("vm"), 0)] {
        let mut switch = Switch::new(&scenario);
        assert_eq!(send(&mut switch, &[101, 4095, 101, 101]), passed);
        assert_eq!(unknown_tags(&switch, "vm"), [(0x8100, 101, 3, 4), (0x8100, 4095, 1, 2)]);
        switch.send("vm", &frame(PEER_A, VM, &[(STAG, 100)], &payload()));
        assert!(
            unknown_tags(&switch, "vm").contains(&(STAG, 100, 1, 4)),
            "of a segmentation, if it were 0x8100"
        );
    }
}

#[test]
fn tags_with_a_meaning_are_not_counted() {
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    // No tag, a priority tag, the tag of a segmentation; and any tag on a port without segmentations.
    for frame in [tagged(PEER_A, VM, &[]), tagged(PEER_A, VM, &[tci(5, 1, 0)]), tagged(PEER_B, WEB, &[100])] {
        assert_eq!(switch.send("vm", &frame).len(), 1);
    }
    assert_eq!(switch.send("peer-a", &tagged(VM, PEER_A, &[101])).len(), 1);
    for port in ["vm", "web", "peer-a"] {
        assert_eq!(unknown_tags(&switch, port), []);
    }
}

#[test]
fn a_tag_behind_that_of_a_segmentation_is_counted_at_the_subport() {
    let scenario =
        Scenario::vm_and_peers().port("deep", 3, "b", OTHER).segmentation("s2", "web", 200, "deep");
    let mut switch = Switch::new(&scenario);
    assert_eq!(switch.send("vm", &tagged(PEER_B, WEB, &[100, 201])).len(), 1);
    assert_eq!(unknown_tags(&switch, "web"), [(0x8100, 201, 1, 0)]);
    assert_eq!(unknown_tags(&switch, "vm"), []);
}

#[test]
fn a_spray_of_all_vids_does_not_hide_the_real_one() {
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    let spray: Vec<u16> = (1..4095).filter(|vid| *vid != 100).collect();
    let vids: Vec<u16> = spray.chunks(4).flat_map(|others| [others, &[101]].concat()).collect();
    send(&mut switch, &vids);
    let seen = unknown_tags(&switch, "vm");
    assert_eq!(seen.len(), 8);
    assert_eq!((seen[0].0, seen[0].1), (0x8100, 101), "{seen:?}");
    // Later only one frame.
    send(&mut switch, &[102]);
    assert!(unknown_tags(&switch, "vm").iter().any(|seen| seen.1 == 102));
}

#[test]
fn counts_outlive_a_change_of_the_tables_and_go_with_the_port() {
    let mut scenario = Scenario::vm_and_peers();
    let mut switch = Switch::new(&scenario);
    send(&mut switch, &[101, 101]);
    scenario = scenario.segmentation("s2", "vm", 200, "peer-b");
    scenario.links.retain(|link| link.port != "peer-b");
    switch.follow(&scenario);
    assert_eq!(unknown_tags(&switch, "vm"), [(0x8100, 101, 2, 2)]);
    scenario.ports.remove("vm");
    switch.follow(&scenario);
    assert!(switch.compiler.counters().get("vm").is_none());
}

#[test]
fn refused_mac_addresses_are_counted_by_address() {
    let mut scenario = Scenario::vm_and_peers();
    scenario.port_mut("vm").security = Some((vec!["10.0.0.1"], vec![]));
    let mut switch = Switch::new(&scenario);
    let announces_other = {
        let arp =
            [&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1][..], &OTHER, &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 2]].concat();
        frame(BROADCAST, VM, &[], &arp)
    };
    let unspecified = tagged(PEER_A, [0; 6], &[]);
    for frame in [tagged(PEER_A, OTHER, &[]), announces_other, unspecified, tagged(PEER_A, VM, &[])] {
        switch.send("vm", &frame);
    }
    assert_eq!(refused_macs(&switch, "vm"), [(MacAddr::new(OTHER), 2), (MacAddr::new([0; 6]), 1)]);
    assert_eq!(
        switch.drops(),
        [((Some("vm".into()), DropReason::Antispoof(Antispoof::SourceMac)), 3)].into()
    );
    assert_eq!(refused_macs(&switch, "peer-a"), [], "without port security");
}
