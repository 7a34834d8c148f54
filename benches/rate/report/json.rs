//! The report as JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Row;
use crate::machine::Machine;
use crate::plan::{Plan, Results};
use crate::scenarios::Figures;

/// Writes everything, including each sample.
pub fn write(
    path: &Path,
    machine: &Machine,
    (plan, results): (&Plan, &Results),
    rows: &[Row],
    figures: &Figures,
) -> Result<()> {
    let samples: Vec<Value> = results
        .samples
        .iter()
        .map(|((place, peer), samples)| {
            json!({"job": plan.jobs[*place].to_string(), "peer": peer, "rounds": samples})
        })
        .collect();
    let (generator, datapath) = machine.split()?;
    let all = json!({
        "command": std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        "machine": machine,
        "generator_and_datapath_share_a_cpu": generator == datapath,
        "generator": plan.conditions.way,
        "noise_bound": super::NOISE_BOUND,
        "rows": rows,
        "samples": samples,
        "scenarios": figures.figures,
        "not_run": results.not_run.iter().chain(&figures.not_run).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&all)?;
    fs::write(path, text + "\n").with_context(|| format!("{}", path.display()))
}
