//! The switch and Open vSwitch side by side, for one scenario.

use std::collections::BTreeSet;

use super::difference::{Difference, Pipeline};
use super::expected;
use super::flows::flows;
use super::vswitch::{Bridge, OpenVswitch, Output};
use testkit::scenario::Scenario;
use testkit::strategies::Hex;
use testkit::switch::{Sent, Switch};

/// The same scenario in the switch and, as a bridge, in Open vSwitch.
pub struct Both<'a> {
    scenario: Scenario,
    switch: Switch,
    bridge: Bridge<'a>,
    listed: BTreeSet<Difference>,
}

/// A difference that is not in the list: the frame, and the expected and actual outputs.
#[derive(Debug, PartialEq, Eq)]
pub struct Unlisted(pub String);

impl<'a> Both<'a> {
    /// Creates the bridge `name`.
    pub fn new(open_vswitch: &'a OpenVswitch, name: &str, scenario: Scenario, pipeline: Pipeline) -> Self {
        let links = scenario.links.iter().map(|link| link.port.clone());
        let bridge = open_vswitch.bridge(name, links, &flows(&scenario, pipeline));
        let listed = pipeline.differences().collect();
        Self { switch: Switch::new(&scenario), bridge, scenario, listed }
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Sends a frame into the link of `from` in both. If the outputs differ, returns the differences that
    /// matter: those without any of which Open vSwitch would behave otherwise.
    pub fn send(&mut self, from: &str, frame: &[u8]) -> Result<BTreeSet<Difference>, Unlisted> {
        let switch = by_link(self.switch.send(from, frame));
        self.compare(from, frame, &switch)
            .map_err(|Unlisted(error)| Unlisted(format!("{from} sends {:?}\n{error}", Hex(frame.into()))))?;
        let bridge = self.expected(from, frame, &self.listed);
        let matters = |difference: &Difference| {
            let mut others = self.listed.clone();
            others.remove(difference);
            self.expected(from, frame, &others) != bridge
        };
        let differs = switch != bridge;
        Ok(self.listed.iter().copied().filter(|difference| differs && matters(difference)).collect())
    }

    /// Compares the output of the switch with the expected one, and that of Open vSwitch with the list.
    fn compare(&mut self, from: &str, frame: &[u8], switch: &Output) -> Result<(), Unlisted> {
        let switch_expected = self.expected(from, frame, &BTreeSet::new());
        check("the switch", switch, &switch_expected)?;
        let bridge_expected = self.expected(from, frame, &self.listed);
        // The first frame is classified by the flows, the second one by a cache.
        for cache in ["cold", "warm"] {
            let bridge = sorted(self.bridge.send(from, frame));
            let who = format!("the switch gives {}\nOpen vSwitch ({cache})", shown(switch));
            check(&who, &bridge, &bridge_expected).map_err(|Unlisted(error)| {
                Unlisted(format!("{error}\n{}", self.bridge.explain(from, frame)))
            })?;
        }
        Ok(())
    }

    fn expected(&self, from: &str, frame: &[u8], with: &BTreeSet<Difference>) -> Output {
        sorted(expected::forward(&self.scenario, from, frame, with))
    }
}

fn check(who: &str, output: &Output, expected: &Output) -> Result<(), Unlisted> {
    let is_expected = output == expected;
    let error =
        || Unlisted(format!("{who} gives {}\nexpected by the list: {}", shown(output), shown(expected)));
    is_expected.then_some(()).ok_or_else(error)
}

fn by_link(sent: Vec<Sent>) -> Output {
    let mut output = Output::new();
    for (link, frame) in sent {
        output.entry(link).or_default().push(frame);
    }
    sorted(output)
}

/// The order of copies on one link does not matter.
fn sorted(mut output: Output) -> Output {
    for frames in output.values_mut() {
        frames.sort();
    }
    output
}

fn shown(output: &Output) -> String {
    let frames = output.iter().flat_map(|(link, frames)| frames.iter().map(move |frame| (link, frame)));
    let lines: Vec<_> = frames.map(|(link, frame)| format!("\n  {link}: {:?}", Hex(frame.clone()))).collect();
    lines.concat()
}
