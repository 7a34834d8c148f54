//! A record that claims what a working one holds does not change the working one, regardless of its id.

use trunkpath::tables::Compiler;
use trunkpath::types::{Claim, Incumbents};

use testkit::frames::tagged;
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

const OTHER: Mac = [2, 0, 0, 0, 0, 9];

/// Asserts that every port of [`Scenario::vm_and_peers`] reaches every other one of its network.
fn assert_all_work(switch: &mut Switch) {
    for (from, to, frame, expected) in [
        ("vm", "peer-a", tagged(PEER_A, VM, &[]), tagged(PEER_A, VM, &[])),
        ("peer-a", "vm", tagged(VM, PEER_A, &[]), tagged(VM, PEER_A, &[])),
        ("vm", "peer-b", tagged(PEER_B, WEB, &[100]), tagged(PEER_B, WEB, &[])),
        ("peer-b", "vm", tagged(WEB, PEER_B, &[]), tagged(WEB, PEER_B, &[100])),
    ] {
        assert_eq!(switch.send(from, &frame), [(to.to_owned(), expected)], "from {from}");
    }
}

/// Asserts that a problem about `newcomer` has its claim and the holder.
fn assert_named(switch: &Switch, newcomer: &str, words: &[&str]) {
    let about = format!("{newcomer}: ");
    let named =
        |problem: &String| problem.starts_with(&about) && words.iter().all(|word| problem.contains(word));
    assert!(switch.problems().iter().any(named), "{newcomer}, {words:?} in {:?}", switch.problems());
}

/// Records with lower ids than the working ones, each with words of its problem.
fn newcomers() -> Vec<(Scenario, &'static str, Vec<&'static str>)> {
    let scenario = Scenario::vm_and_peers;
    vec![
        (scenario().port("aaa", 2, "b", OTHER), "lport aaa", vec!["unique_key 2", "belongs to web already"]),
        (
            scenario().port("aaa", 10, "a", OTHER).link("aaa"),
            "lport aaa",
            vec!["unique_key 10", "belongs to peer-a already"],
        ),
        (scenario().network("0", 1), "lswitch 0", vec!["unique_key 1", "belongs to a already"]),
        (
            scenario().port("aaa", 99, "a", PEER_A).link("aaa"),
            "lport aaa",
            vec!["02:00:00:00:00:0a", "belongs to lport peer-a"],
        ),
        (
            scenario().port("aaa", 99, "b", OTHER).segmentation("s0", "vm", 100, "aaa"),
            "child_port_segmentation s0",
            vec!["vlan 100 of parent vm", "belongs to web already"],
        ),
        (
            scenario().segmentation("s0", "peer-a", 7, "web"),
            "child_port_segmentation s0",
            vec!["port web is a subport of vm", "s1"],
        ),
    ]
}

#[test]
fn a_newcomer_of_a_lower_id_changes_nothing_for_what_works() {
    for (with_newcomer, newcomer, words) in newcomers() {
        let mut switch = Switch::new(&Scenario::vm_and_peers());
        assert_all_work(&mut switch);
        switch.follow(&with_newcomer);
        assert_named(&switch, newcomer, &words);
        assert_all_work(&mut switch);
        switch.follow(&Scenario::vm_and_peers());
        assert_eq!(switch.problems(), Vec::<String>::new());
        assert_all_work(&mut switch);
    }
}

#[test]
fn a_restart_does_not_change_the_holder() {
    for (with_newcomer, newcomer, words) in newcomers() {
        let mut switch = Switch::new(&Scenario::vm_and_peers());
        switch.follow(&with_newcomer);
        let incumbents = switch.compiler.incumbents();
        let mut restarted = Switch::with_incumbents(&with_newcomer, incumbents.clone());
        assert_named(&restarted, newcomer, &words);
        assert_all_work(&mut restarted);
        assert_eq!(restarted.compiler.incumbents(), incumbents);
    }
}

#[test]
fn an_incumbent_without_its_claim_is_one_no_longer() {
    let with_newcomer =
        Scenario::vm_and_peers().port("aaa", 2, "b", OTHER).segmentation("s0", "vm", 101, "aaa");
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    switch.follow(&with_newcomer);
    let mut moved = with_newcomer.clone();
    moved.port_mut("web").key = 3;
    switch.follow(&moved);
    assert_eq!(switch.problems(), Vec::<String>::new());
    assert_all_work(&mut switch);
    switch.follow(&with_newcomer);
    assert_named(&switch, "lport web", &["unique_key 2", "belongs to aaa already"]);
}

#[test]
fn an_edit_of_the_incumbent_that_keeps_its_claim_keeps_it() {
    let mut scenario = Scenario::vm_and_peers().port("aaa", 2, "b", OTHER);
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    switch.follow(&scenario);
    scenario.port_mut("web").macs = vec![OTHER, WEB];
    scenario.segmentations.get_mut("s1").expect("s1").vid = 200;
    switch.follow(&scenario);
    scenario.segmentations.get_mut("s1").expect("s1").vid = 100;
    switch.follow(&scenario);
    assert_all_work(&mut switch);
}

#[test]
fn a_port_that_was_down_gets_its_address_back_before_a_third() {
    let down = |mut scenario: Scenario| {
        scenario.links.iter_mut().filter(|link| link.port == "peer-a").for_each(|link| link.up = false);
        scenario
    };
    let second = Scenario::vm_and_peers().port("aaa", 98, "a", PEER_A).link("aaa");
    let mut switch = Switch::new(&Scenario::vm_and_peers());
    let frame = tagged(PEER_A, VM, &[]);
    let sent_to = |switch: &mut Switch| -> Vec<String> {
        switch.send("vm", &frame).into_iter().map(|(port, _)| port).collect()
    };
    switch.follow(&second);
    switch.follow(&down(second.clone()));
    assert_eq!(sent_to(&mut switch), vec!["aaa".to_owned()]);
    switch.follow(&second);
    assert_eq!(sent_to(&mut switch), vec!["peer-a".to_owned()]);
    switch.follow(&down(second.clone()));
    let third = second.port("0", 97, "a", PEER_A).link("0");
    switch.follow(&down(third.clone()));
    assert_eq!(sent_to(&mut switch), vec!["aaa".to_owned()]);
}

#[test]
fn there_are_incumbents_of_contested_claims_only() {
    let switch = Switch::new(&Scenario::vm_and_peers());
    assert_eq!(switch.compiler.incumbents(), Incumbents::new());
    let mut compiler: Compiler = Switch::new(&Scenario::vm_and_peers().port("z", 2, "b", OTHER)).compiler;
    let [(claim, holder)] = compiler.incumbents().into_iter().collect::<Vec<_>>().try_into().expect("one");
    assert!(matches!(claim, Claim::PortKey(key) if key.get() == 2) && holder == "web");
    drop(compiler.compile());
}
