//! Records that contradict each other or refer to missing ones: which is in force, and which problem is
//! reported.

use trunkpath::tables::{MAX_NESTING, PortState};
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Classify;

use testkit::frames::{BROADCAST, tagged};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

/// Asserts that `switch` has one problem, which has all of `words`.
fn assert_problem(switch: &Switch, words: &[&str]) {
    let problems = switch.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    for word in words {
        assert!(problems[0].contains(word), "{word:?} in {problems:?}");
    }
}

fn reaches_web(switch: &mut Switch) -> bool {
    let sent = switch.send("peer-b", &tagged(WEB, PEER_B, &[]));
    let expected = ("vm".to_owned(), tagged(WEB, PEER_B, &[100]));
    assert!(sent.is_empty() || sent == [expected], "{sent:02x?}");
    !sent.is_empty()
}

#[test]
fn a_segmentation_waits_for_its_parent_and_its_port() {
    for missing in ["vm", "web"] {
        let mut scenario = Scenario::vm_and_peers();
        scenario.ports.remove(missing);
        let mut switch = Switch::new(&scenario);
        assert_problem(&switch, &["child_port_segmentation s1", "waits for its p", missing, "create it"]);
        assert!(!reaches_web(&mut switch));
        switch.follow(&Scenario::vm_and_peers());
        assert!(reaches_web(&mut switch));
        assert_eq!(switch.problems(), Vec::<String>::new());
    }
}

#[test]
fn a_port_waits_for_its_network() {
    let mut scenario = Scenario::vm_and_peers();
    scenario.ports.remove("peer-b");
    scenario.networks.remove("b");
    let mut switch = Switch::new(&scenario);
    assert_problem(&switch, &["lport web", "waits for its network b", "create it"]);
    assert_eq!(switch.compiler.report("web").unwrap().state, PortState::NoNetwork);
    switch.follow(&Scenario::vm_and_peers());
    assert!(reaches_web(&mut switch));
}

#[test]
fn of_two_new_ports_with_one_key_the_lower_id_has_it_until_its_deletion() {
    let mut scenario = Scenario::vm_and_peers().port("aaa", 2, "b", [2, 0, 0, 0, 0, 9]);
    let mut switch = Switch::new(&scenario);
    assert_problem(&switch, &["lport web", "unique_key 2 belongs to aaa", "give it a free one"]);
    assert!(!reaches_web(&mut switch));
    assert_eq!(switch.send("vm", &tagged(PEER_B, WEB, &[100])), []);
    assert_eq!(switch.drops()[&(Some("vm".into()), DropReason::Classify(Classify::SubportUnusable))], 1);
    scenario.ports.remove("aaa");
    switch.follow(&scenario);
    assert!(reaches_web(&mut switch));
}

#[test]
fn of_two_new_networks_with_one_key_the_lower_id_has_it_until_its_deletion() {
    let mut scenario = Scenario::vm_and_peers().network("aa", 2);
    let mut switch = Switch::new(&scenario);
    assert!(!reaches_web(&mut switch));
    assert!(
        switch.problems().iter().any(|p| p.starts_with("lswitch b: its unique_key 2 belongs to aa already"))
    );
    assert!(switch.problems().iter().any(|p| p.starts_with("lport web: its network b is ignored")));
    scenario.networks.remove("aa");
    switch.follow(&scenario);
    assert!(reaches_web(&mut switch));
}

#[test]
fn of_two_new_ports_with_one_address_the_lower_id_has_it_whatever_the_order_of_the_links() {
    for links in [["peer-a", "peer-c"], ["peer-c", "peer-a"]] {
        let mut scenario = Scenario::vm_and_peers().port("peer-c", 12, "a", PEER_A);
        scenario.links.clear();
        scenario = scenario.link("vm").link(links[0]).link(links[1]);
        let mut switch = Switch::new(&scenario);
        assert_problem(&switch, &["lport peer-c", "02:00:00:00:00:0a", "lport peer-a on network a"]);
        let frame = tagged(PEER_A, VM, &[]);
        assert_eq!(switch.send("vm", &frame), [("peer-a".to_owned(), frame.clone())]);
        scenario.port_mut("peer-a").enabled = false;
        switch.follow(&scenario);
        assert_eq!(switch.send("vm", &frame), [("peer-c".to_owned(), frame)]);
    }
}

#[test]
fn a_segmentation_that_lost_its_port_leaves_its_tag_to_one_that_holds() {
    let scenario = Scenario::vm_and_peers()
        .port("db", 3, "b", [2, 0, 0, 0, 0, 3])
        .segmentation("s2", "vm", 200, "web")
        .segmentation("s3", "vm", 200, "db");
    let mut switch = Switch::new(&scenario);
    assert_problem(
        &switch,
        &["child_port_segmentation s2", "port web is a subport of vm by segmentation s1"],
    );
    assert_eq!(switch.send("vm", &tagged(BROADCAST, WEB, &[200])).len(), 2, "db reaches web and peer-b");
}

#[test]
fn a_subport_has_no_link_of_its_own() {
    let mut switch = Switch::new(&Scenario::vm_and_peers().link("web"));
    assert_problem(
        &switch,
        &["lport web", "subport of vm by segmentation s1", "its own link", "remove one of the two"],
    );
    assert!(reaches_web(&mut switch));
    assert_eq!(switch.send("web", &tagged(PEER_B, WEB, &[])), []);
    assert_eq!(switch.drops()[&(None, DropReason::Classify(Classify::NoPort))], 1);
}

#[test]
fn a_port_is_not_its_own_subport() {
    let mut switch = Switch::new(&Scenario::vm_and_peers().segmentation("s2", "vm", 200, "vm"));
    assert_problem(&switch, &["child_port_segmentation s2", "port vm cannot be its own subport"]);
    assert!(reaches_web(&mut switch));
}

#[test]
fn ports_in_a_loop_and_below_it_have_no_link() {
    let scenario = Scenario::vm_and_peers().segmentation("s2", "web", 200, "vm");
    let mut switch = Switch::new(&scenario.port("low", 3, "b", WEB).segmentation("s3", "web", 300, "low"));
    for segmentation in ["s1", "s2", "s3"] {
        let about = format!("child_port_segmentation {segmentation}: ");
        let says_loop = |p: &String| p.starts_with(&about) && p.contains("form a loop: remove one");
        assert!(switch.problems().iter().any(says_loop), "{segmentation} in {:?}", switch.problems());
    }
    assert_eq!(switch.send("peer-a", &tagged(BROADCAST, PEER_A, &[])), []);
    assert_eq!(switch.send("peer-b", &tagged(BROADCAST, PEER_B, &[])), []);
}

/// Port 0 has the link, and each port is a subport of the one before, with its number as the tag.
fn tower(levels: u16) -> Scenario {
    (1..=levels).fold(
        Scenario::default().network("a", 1).port("p00", 100, "a", VM).link("p00"),
        |scenario, level| {
            let (id, parent) = (format!("p{level:02}"), format!("p{:02}", level - 1));
            let mac: Mac = [2, 0, 0, 0, 1, level as u8];
            scenario.port(&id, level.into(), "a", mac).segmentation(
                &format!("s{level:02}"),
                &parent,
                level,
                &id,
            )
        },
    )
}

#[test]
fn subports_nest_up_to_a_limit_and_no_further() {
    let limit = MAX_NESTING as u16;
    let tags: Vec<u16> = (1..=limit).collect();
    let top: Mac = [2, 0, 0, 0, 1, limit as u8];
    let mut switch = Switch::new(&tower(limit));
    assert_eq!(switch.problems(), Vec::<String>::new());
    let down = switch.send("p00", &tagged(top, VM, &[]));
    assert_eq!(
        down,
        [("p00".to_owned(), tagged(top, VM, &tags))],
        "the outermost tag is the link's own subport"
    );
    let up = switch.send("p00", &tagged(VM, top, &tags));
    assert_eq!(up, [("p00".to_owned(), tagged(VM, top, &[]))]);

    let mut switch = Switch::new(&tower(limit + 1));
    assert_problem(&switch, &["lport p09", "more than 8 levels"]);
    let above: Vec<u16> = (1..=limit + 1).collect();
    assert_eq!(switch.send("p00", &tagged(VM, top, &above)), []);
    assert_eq!(switch.drops()[&(Some("p08".into()), DropReason::Classify(Classify::SubportUnusable))], 1);
}
