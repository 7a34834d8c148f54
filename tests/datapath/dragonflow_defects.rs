//! Defects of Dragonflow with VLAN-aware VMs that trunkpath does not have. The numbers are those of the
//! project's study of Dragonflow.

use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Classify;

use testkit::frames::{BROADCAST, tagged};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::{Sent, Switch};

const DB: Mac = [2, 0, 0, 0, 0, 0x03];

fn by(link: &str, frame: Vec<u8>) -> Sent {
    (link.to_owned(), frame)
}

/// A second subport of the VM on network `b`.
fn with_db(scenario: Scenario) -> Scenario {
    scenario.port("db", 3, "b", DB).segmentation("s2", "vm", 200, "db")
}

/// Asserts that frames to and from `web` pass with tag `vid`.
fn assert_web_has_tag(switch: &mut Switch, vid: u16) {
    let to_web = switch.send("peer-b", &tagged(WEB, PEER_B, &[]));
    assert_eq!(to_web, [by("vm", tagged(WEB, PEER_B, &[vid]))]);
    let from_web = switch.send("vm", &tagged(PEER_B, WEB, &[vid]));
    assert_eq!(from_web, [by("peer-b", tagged(PEER_B, WEB, &[]))]);
}

/// Asserts that a frame to `web` is dropped.
fn assert_web_is_gone(switch: &mut Switch) {
    assert_eq!(switch.send("peer-b", &tagged(WEB, PEER_B, &[])), []);
    assert_eq!(switch.send("peer-b", &tagged(BROADCAST, PEER_B, &[])), []);
}

/// Asserts that a frame of the VM with tag `vid` belongs to the VM itself, with its tag.
fn assert_tag_is_the_parents(switch: &mut Switch, vid: u16) {
    let frame = tagged(PEER_A, VM, &[vid]);
    assert_eq!(switch.send("vm", &frame), [by("peer-a", frame)]);
}

#[test]
fn b1_a_tag_pushed_for_one_copy_of_a_flood_leaks_into_no_other() {
    let scenario = with_db(Scenario::vm_and_peers()).port("zoe", 12, "b", [2, 0, 0, 0, 0, 0x0c]).link("zoe");
    let mut switch = Switch::new(&scenario);
    let copies = switch.send("peer-b", &tagged(BROADCAST, PEER_B, &[]));
    let expected = [
        by("vm", tagged(BROADCAST, PEER_B, &[200])),
        by("vm", tagged(BROADCAST, PEER_B, &[100])),
        by("zoe", tagged(BROADCAST, PEER_B, &[])),
    ];
    assert_eq!(copies, expected);
}

#[test]
fn b2_a_flood_is_not_reflected_to_its_sender() {
    let mut switch = Switch::new(&with_db(Scenario::vm_and_peers()));
    let from_web = switch.send("vm", &tagged(BROADCAST, WEB, &[100]));
    let to_sibling_and_peer =
        [by("vm", tagged(BROADCAST, WEB, &[200])), by("peer-b", tagged(BROADCAST, WEB, &[]))];
    assert_eq!(from_web, to_sibling_and_peer);
    let from_parent = switch.send("vm", &tagged(BROADCAST, VM, &[]));
    assert_eq!(from_parent, [by("peer-a", tagged(BROADCAST, VM, &[]))]);
}

#[test]
fn b4_a_deleted_segmentation_leaves_no_way_to_the_port() {
    let mut scenario = Scenario::vm_and_peers();
    let mut switch = Switch::new(&scenario);
    assert_web_has_tag(&mut switch, 100);
    scenario.segmentations.clear();
    switch.follow(&scenario);
    assert_web_is_gone(&mut switch);
    assert_tag_is_the_parents(&mut switch, 100);
}

#[test]
fn b5_a_changed_vid_replaces_the_old_one() {
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    switch.follow(&Scenario::vm_and_peers().segmentation("s1", "vm", 200, "web"));
    assert_web_has_tag(&mut switch, 200);
    assert_tag_is_the_parents(&mut switch, 100);
}

#[test]
fn b6_a_subport_deleted_before_its_segmentation_leaves_nothing() {
    let mut scenario = Scenario::vm_and_peers();
    let mut switch = Switch::new(&scenario);
    scenario.ports.remove("web");
    switch.follow(&scenario);
    assert_web_is_gone(&mut switch);
    assert_eq!(switch.send("vm", &tagged(PEER_A, VM, &[100])), [], "the tag is not the parent's yet");
    assert_eq!(switch.drops()[&(Some("vm".into()), DropReason::Classify(Classify::SubportUnusable))], 1);
    scenario.segmentations.clear();
    switch.follow(&scenario);
    assert_web_is_gone(&mut switch);
    assert_tag_is_the_parents(&mut switch, 100);
}

#[test]
fn b8_a_changed_address_replaces_the_old_one() {
    const NEW: Mac = [2, 0, 0, 0, 0, 0x77];
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    switch.follow(&Scenario::vm_and_peers().port("web", 2, "b", NEW));
    assert_eq!(switch.send("peer-b", &tagged(WEB, PEER_B, &[])), []);
    let to_new = switch.send("peer-b", &tagged(NEW, PEER_B, &[]));
    assert_eq!(to_new, [by("vm", tagged(NEW, PEER_B, &[100]))]);
}

#[test]
fn b9_of_two_segmentations_with_one_tag_the_lower_id_has_it_until_its_deletion() {
    let both = || Scenario::vm_and_peers().port("db", 3, "b", DB).segmentation("s2", "vm", 100, "db");
    let mut switch = Switch::new(&both());
    assert_web_has_tag(&mut switch, 100);
    assert_eq!(switch.send("peer-b", &tagged(DB, PEER_B, &[])), []);
    assert!(
        switch.problems()[0].starts_with("child_port_segmentation s2: vlan 100 of parent vm belongs to web")
    );
    switch.follow(&Scenario::vm_and_peers());
    assert_web_has_tag(&mut switch, 100);
    let mut only_second = both();
    only_second.segmentations.remove("s1");
    switch.follow(&only_second);
    assert_web_is_not_reached_but_db_is(&mut switch);
}

fn assert_web_is_not_reached_but_db_is(switch: &mut Switch) {
    assert_eq!(switch.send("peer-b", &tagged(WEB, PEER_B, &[])), []);
    assert_eq!(switch.send("peer-b", &tagged(DB, PEER_B, &[])), [by("vm", tagged(DB, PEER_B, &[100]))]);
    assert_eq!(switch.problems(), Vec::<String>::new());
}

#[test]
fn b9_of_two_segmentations_with_one_subport_the_lower_id_has_it_until_its_deletion() {
    let mut scenario = Scenario::vm_and_peers().segmentation("s2", "peer-a", 200, "web");
    let mut switch = Switch::new(&scenario);
    assert_web_has_tag(&mut switch, 100);
    assert!(switch.problems()[0].starts_with("child_port_segmentation s2: port web is a subport of vm"));
    assert_eq!(switch.send("peer-a", &tagged(VM, PEER_A, &[200])), [], "the tag of a disputed subport");
    scenario.segmentations.remove("s1");
    switch.follow(&scenario);
    let to_web = switch.send("peer-b", &tagged(WEB, PEER_B, &[]));
    assert_eq!(to_web, [by("peer-a", tagged(WEB, PEER_B, &[200]))]);
}

#[test]
fn b10_a_subport_that_is_down_when_its_segmentation_is_added_stays_down() {
    let mut scenario = Scenario::vm_and_peers();
    scenario.segmentations.clear();
    scenario.port_mut("web").enabled = false;
    let mut switch = Switch::new(&scenario);
    let mut scenario = scenario.segmentation("s1", "vm", 100, "web");
    switch.follow(&scenario);
    assert_web_is_gone(&mut switch);
    assert_eq!(switch.send("vm", &tagged(PEER_B, WEB, &[100])), []);
    assert_eq!(switch.drops()[&(Some("web".into()), DropReason::Classify(Classify::PortDown))], 1);
    scenario.port_mut("web").enabled = true;
    switch.follow(&scenario);
    assert_web_has_tag(&mut switch, 100);
}
