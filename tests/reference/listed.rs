//! The listed frames, and the list itself.

use std::collections::BTreeSet;

use super::both::{Both, Unlisted};
use super::difference::{Difference, Pipeline};
use super::edge_frames::{self, Case};
use super::scenarios::{mac, stacked, two_trunks};
use super::vswitch::OpenVswitch;
use crate::handbook::last_column;
use testkit::frames::tagged;
use testkit::installed::is_installed;

#[test]
fn each_edge_frame_differs_as_listed() {
    if !is_installed("edge frames and Open vSwitch", "ovs-vswitchd") {
        return;
    }
    let open_vswitch = OpenVswitch::start();
    let mut pairs = Pipeline::ALL
        .map(|pipeline| Both::new(&open_vswitch, &format!("{pipeline:?}"), two_trunks(), pipeline));
    let mut wrong = Vec::new();
    for Case { name, from, frame, differ } in edge_frames::all() {
        let met: Result<Vec<_>, _> = pairs.iter_mut().map(|both| both.send(from, &frame)).collect();
        match met.map(|met| met.into_iter().flatten().collect::<BTreeSet<_>>()) {
            Ok(met) if met == differ => {}
            Ok(met) => wrong.push(format!("{name}: they differ in {met:?}, the row has {differ:?}")),
            Err(Unlisted(error)) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_levels_of_subports_are_the_same_and_the_third_is_not() {
    if !is_installed("levels of subports and Open vSwitch", "ovs-vswitchd") {
        return;
    }
    let open_vswitch = OpenVswitch::start();
    let mut both = Both::new(&open_vswitch, "stacked", stacked(), Pipeline::Dragonflow);
    let pod_to_peer = tagged(mac(8), mac(2), &[100]);
    let box_to_peer = tagged(mac(9), mac(3), &[100, 4094]);
    let job_to_peer = tagged(mac(8), mac(4), &[100, 4094, 1]);
    let peer_to_box = tagged(mac(3), mac(9), &[]);
    assert_eq!(both.send("vm", &pod_to_peer), Ok(BTreeSet::new()));
    assert_eq!(both.send("vm", &box_to_peer), Ok(BTreeSet::new()));
    assert_eq!(both.send("peer-b", &peer_to_box), Ok(BTreeSet::new()));
    assert_eq!(both.send("vm", &job_to_peer), Ok([Difference::TwoTagsSeen].into()));
}

#[test]
fn each_listed_difference_has_an_edge_frame() {
    let met: BTreeSet<_> = edge_frames::all().flat_map(|case| case.differ).collect();
    assert_eq!(met, Difference::ALL.into());
}

/// Asserts that the rows of the table in the handbook end with the names of the differences.
#[test]
fn behaviour_md_has_the_list() {
    let names = last_column("## Differences from Open vSwitch");
    assert_eq!(names, Difference::ALL.map(|difference| format!("`{difference:?}`")));
}
