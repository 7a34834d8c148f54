//! One or two workers with two loaded pairs of ports: v1 to v3 from the parent, v4 to v2 without tags.

use std::time::Instant;

use anyhow::Result;

use super::{FULL_LOAD, Notes};
use crate::frames::{Expected, Frames};
use crate::generator::{Generator, Load, Way};
use crate::interrupt::nap;
use crate::job::{Job, P2, P4};
use crate::machine::Machine;
use crate::measure::SETTLE;
use crate::peers::{Context, Peer as _, Setup, Trunkpath};
use crate::report::median;

const ROUNDS: usize = 5;

pub fn run(context: &Context, machine: &Machine, notes: &mut Notes<'_>) -> Result<()> {
    let cpus = &machine.cpus;
    let (generators, workers, remark) = match cpus.as_slice() {
        [] | [_] => anyhow::bail!("two workers take two CPUs"),
        [one, two, three, four, ..] => ([*one, *two], [*three, *four], String::new()),
        [one, .., last] => {
            let remark = format!("{} CPUs: the generators take theirs from the second worker", cpus.len());
            ([*one, *one], [*last, *one], remark)
        }
    };
    let start = |workers: &[usize]| {
        let workers = workers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let trunkpath = Trunkpath::start(context, &Setup { workers, ..Setup::new(context) })?;
        trunkpath.pause();
        anyhow::Ok(trunkpath)
    };
    let (one, two) = (start(&workers[..1])?, start(&workers)?);
    let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_one.push(both_pairs(context, &one, generators)?);
        of_two.push(both_pairs(context, &two, generators)?);
    }
    let ratios = of_one.iter().zip(&of_two).map(|(one, two)| two / one).collect();
    notes.add_with("one worker, two pairs", median(of_one), "Mpps", &remark);
    notes.add_with("two workers, two pairs", median(of_two), "Mpps", &remark);
    notes.add_with("two by one", median(ratios), "", &remark);
    Ok(())
}

/// Rate of both pairs together, in Mpps.
fn both_pairs(context: &Context, trunkpath: &Trunkpath, cpus: [usize; 2]) -> Result<f64> {
    trunkpath.resume();
    let outcome = while_up(context, trunkpath, cpus);
    trunkpath.pause();
    outcome
}

fn while_up(context: &Context, trunkpath: &Trunkpath, cpus: [usize; 2]) -> Result<f64> {
    let testbed = trunkpath.testbed();
    let tagged = Frames::of(Job::UP);
    let plain = Frames::untagged(P2, P4, 60);
    let sinks = [testbed.sink(3), testbed.sink(2)];
    sinks[0].expect(&Expected::arriving(Job::UP))?;
    sinks[1].expect(&Expected::untagged(60))?;
    let start = |frames, link: &str, cpu| {
        let load = Load { frames, link: link.to_owned(), cap: None, cpu, way: Way::Live };
        Generator::start(&context.programs, &testbed.vms, load)
    };
    let generators = [start(tagged, "v1", cpus[0])?, start(plain, "v4", cpus[1])?];
    nap(SETTLE)?;
    let right = || anyhow::Ok(sinks[0].counts()?.right + sinks[1].counts()?.right);
    let (before, since) = (right()?, Instant::now());
    nap(FULL_LOAD.window)?;
    let rate = (right()? - before) as f64 / since.elapsed().as_secs_f64() / 1e6;
    for generator in generators {
        generator.stop()?;
    }
    Ok(rate)
}
