//! Random frames, from a generator with a fixed seed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use super::both::Both;
use super::difference::{Difference, Pipeline};
use super::scenarios::{stacked, two_trunks};
use super::vswitch::OpenVswitch;
use testkit::installed::is_installed;
use testkit::scenario::Scenario;
use testkit::strategies::{Hex, any_frame};

const FRAMES: u32 = 500;

/// Sends frames into all links of `scenario`; returns the differences that they showed.
fn differences(open_vswitch: &OpenVswitch, scenario: Scenario, pipeline: Pipeline) -> BTreeSet<Difference> {
    let name = format!("{pipeline:?}");
    let both = RefCell::new(Both::new(open_vswitch, &name, scenario, pipeline));
    let met = RefCell::new(BTreeSet::new());
    let config = Config {
        cases: FRAMES,
        rng_seed: RngSeed::Fixed(u64::from(FRAMES)),
        failure_persistence: None,
        ..Config::default()
    };
    let input = (any::<prop::sample::Index>(), any_frame());
    let result = TestRunner::new(config).run(&input, |(link, Hex(frame))| {
        let from = link.get(&both.borrow().scenario().links).port.clone();
        let differences =
            both.borrow_mut().send(&from, &frame).map_err(|unlisted| TestCaseError::fail(unlisted.0))?;
        met.borrow_mut().extend(differences);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{pipeline:?}: {error}"));
    met.into_inner()
}

#[test]
fn random_frames_of_two_trunks_differ_as_listed_and_in_all_that_is_listed() {
    if !is_installed("two trunks and Open vSwitch", "ovs-vswitchd") {
        return;
    }
    let open_vswitch = OpenVswitch::start();
    for pipeline in Pipeline::ALL {
        let met = differences(&open_vswitch, two_trunks(), pipeline);
        assert_eq!(met, pipeline.differences().collect(), "with the flows of {pipeline:?}");
    }
}

#[test]
fn random_frames_of_subports_of_subports_differ_as_listed() {
    if !is_installed("stacked subports and Open vSwitch", "ovs-vswitchd") {
        return;
    }
    let open_vswitch = OpenVswitch::start();
    // The specification has no subports of subports.
    for pipeline in [Pipeline::Dragonflow, Pipeline::Mended] {
        let met = differences(&open_vswitch, stacked(), pipeline);
        assert!(met.contains(&Difference::TwoTagsSeen), "a third tag selects nothing: {met:?}");
    }
}
