//! The two switches side by side.

use std::collections::BTreeSet;

use crate::difference::{Difference, Pipeline};
use crate::expected;
use crate::flows::flows;
use crate::strategies::Hex;
use crate::switch::{Sent, Switch};
use crate::vswitch::{Bridge, OpenVswitch, Output};
use crate::world::World;

/// The same world in the switch and, as a bridge, in Open vSwitch.
pub struct Both<'a> {
    world: World,
    ours: Switch,
    theirs: Bridge<'a>,
    listed: BTreeSet<Difference>,
}

impl<'a> Both<'a> {
    /// `name` is the bridge's.
    pub fn new(open_vswitch: &'a OpenVswitch, name: &str, world: World, pipeline: Pipeline) -> Self {
        let links = world.links.iter().map(|link| link.port.clone());
        let theirs = open_vswitch.bridge(name, links, &flows(&world, pipeline));
        let listed = pipeline.differences().collect();
        Self { ours: Switch::new(&world), theirs, world, listed }
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// Sends a frame into the link of `from` in both. If what comes out differs, returns the differences that matter:
    /// those without any of which Open vSwitch would do something else. An error says what is not as listed.
    pub fn send(&mut self, from: &str, frame: &[u8]) -> Result<BTreeSet<Difference>, String> {
        let ours = by_link(self.ours.send(from, frame));
        self.check("the switch", from, frame, &ours, &BTreeSet::new())?;
        // What it does with the first one is worked out from the flows, with the second one found in a cache.
        for cache in ["cold", "warm"] {
            let theirs = sorted(self.theirs.send(from, frame));
            let who = format!("the switch gives {}\nOpen vSwitch ({cache})", shown(&ours));
            self.check(&who, from, frame, &theirs, &self.listed)
                .map_err(|error| format!("{error}\n{}", self.theirs.explain(from, frame)))?;
        }
        let theirs = self.expected(from, frame, &self.listed);
        let matters = |difference: &Difference| {
            let mut others = self.listed.clone();
            others.remove(difference);
            self.expected(from, frame, &others) != theirs
        };
        let differs = ours != theirs;
        Ok(self.listed.iter().copied().filter(|difference| differs && matters(difference)).collect())
    }

    fn expected(&self, from: &str, frame: &[u8], with: &BTreeSet<Difference>) -> Output {
        sorted(expected::forward(&self.world, from, frame, with))
    }

    fn check(
        &self,
        who: &str,
        from: &str,
        frame: &[u8],
        output: &Output,
        with: &BTreeSet<Difference>,
    ) -> Result<(), String> {
        let expected = self.expected(from, frame, with);
        if *output == expected {
            return Ok(());
        }
        let (frame, output, expected) = (Hex(frame.to_vec()), shown(output), shown(&expected));
        Err(format!("{from} sends {frame:?}\n{who} gives {output}\nthe list says {expected}"))
    }
}

fn by_link(sent: Vec<Sent>) -> Output {
    let mut output = Output::new();
    for (link, frame) in sent {
        output.entry(link).or_default().push(frame);
    }
    sorted(output)
}

/// In which order the copies of a flood leave by one link is nobody's business.
fn sorted(mut output: Output) -> Output {
    output.values_mut().for_each(|frames| frames.sort());
    output
}

fn shown(output: &Output) -> String {
    let frames = output.iter().flat_map(|(link, frames)| frames.iter().map(move |frame| (link, frame)));
    frames.map(|(link, frame)| format!("\n  {link}: {:?}", Hex(frame.clone()))).collect()
}
