//! `--check` and `--rebase`: a short run for the figures of the baseline.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::baseline::{Baseline, Entry};
use crate::generator::Way;
use crate::job::Job;
use crate::measure::Conditions;
use crate::peers::{Context, Kind};
use crate::plan::{Plan, Results};
use crate::report::ratio;

/// Datapaths for ratios. Not XDP, which allocates no socket buffer: the saving depends on the machine, and
/// the ratio was 0.69 on one and 0.25 on another.
const OTHERS: [Kind; 2] = [Kind::Bare, Kind::Tc];

const JOBS: [Job; 2] = [Job::UP, Job::DOWN];

const ROUNDS: usize = 3;

/// Repetitions of a ratio that looks worse, with all rounds taken together, because of short disturbances of
/// a machine.
const SECOND_LOOKS: usize = 2;

/// Measures the figures that are possible here and compares them with the file. A datapath that does not
/// start, or a missing case, fails the check.
pub fn check(context: Option<&Context>, instructions: Option<&Path>) -> Result<()> {
    let mut baseline = Baseline::read()?;
    let mut now = Baseline::default();
    match instructions {
        Some(file) => now.add_instructions(file)?,
        None => baseline.instructions.clear(),
    }
    match context {
        Some(context) => measure_ratios(context, &baseline, &mut now)?,
        None => baseline.ratios.clear(),
    }
    baseline.compare(&now)
}

/// Adds the ratios to `now`; those worse than in `baseline` are repeated.
fn measure_ratios(context: &Context, baseline: &Baseline, now: &mut Baseline) -> Result<()> {
    let mut results = plan().run(context)?;
    add_ratios(now, &results);
    for _ in 0..SECOND_LOOKS {
        let worse = baseline.worse_ratios(now, true);
        if worse.is_empty() {
            break;
        }
        eprintln!("{} ratios look worse: measured again, and all rounds taken together", worse.len());
        let more = plan().run(context)?;
        for (key, samples) in more.samples {
            results.samples.entry(key).or_default().extend(samples);
        }
        add_ratios(now, &results);
    }
    Ok(())
}

/// Measures the figures and writes the file.
pub fn rebase(context: Option<&Context>, instructions: Option<&Path>) -> Result<()> {
    let mut now = Baseline::default();
    if let Some(file) = instructions {
        now.add_instructions(file)?;
    }
    if let Some(context) = context {
        // Twice the rounds, because the result stays.
        let results = Plan { rounds: 2 * ROUNDS, ..plan() }.run(context)?;
        add_ratios(&mut now, &results);
    }
    now.write()
}

fn plan() -> Plan {
    let kinds = [&[Kind::Trunkpath][..], &OTHERS].concat();
    let conditions = Conditions { window: Duration::from_secs(1), cap: None, way: Way::Live };
    Plan { kinds, jobs: JOBS.to_vec(), rounds: ROUNDS, rounds_of_others: 0, conditions }
}

fn add_ratios(now: &mut Baseline, results: &Results) {
    for (place, job) in JOBS.iter().enumerate() {
        for other in OTHERS {
            let samples = |kind| results.samples.get(&(place, kind));
            if let (Some(trunkpath), Some(others)) = (samples(Kind::Trunkpath), samples(other))
                && let Some(ratio) = ratio(trunkpath, others)
            {
                now.ratios.insert(format!("{job} trunkpath/{other}"), Entry::ratio(ratio));
            }
        }
    }
}
