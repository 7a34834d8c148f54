//! Measurements other than rates.

mod change;
mod idle;
mod latency;
mod packet_socket;
mod restart;
mod scale;
mod workers;

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::generator::Way;
use crate::machine::Machine;
use crate::measure::Conditions;
use crate::peers::Context;
use crate::plan::NotRun;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// 2, 16, 128 and 500 ports with traffic on two; 1,000 VIDs
    Scale,
    /// Two workers on two loaded pairs of ports
    Workers,
    /// There and back through a subport
    Latency,
    /// CPU time of a daemon without traffic
    Idle,
    /// Subports added and removed under traffic
    Change,
    /// The outage when the daemon is started again
    Restart,
}

/// A figure of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub scenario: Scenario,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub remark: String,
}

/// All figures so far, and what was not measured.
#[derive(Debug, Default)]
pub struct Figures {
    pub figures: Vec<Figure>,
    pub not_run: Vec<NotRun>,
}

/// Figures of a scenario in progress.
#[derive(Debug)]
pub struct Notes<'figures> {
    scenario: Scenario,
    all: &'figures mut Figures,
}

impl Notes<'_> {
    pub fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.add_with(what, value, unit, "");
    }

    pub fn add_with(&mut self, what: impl Into<String>, value: f64, unit: &'static str, remark: &str) {
        let (what, remark) = (what.into(), remark.to_owned());
        self.all.figures.push(Figure { scenario: self.scenario, what, value, unit, remark });
    }

    /// Records and prints a figure that is missing.
    pub fn miss(&mut self, what: &str, error: &anyhow::Error) {
        let (what, why) = (format!("{:?}: {what}", self.scenario).to_lowercase(), format!("{error:#}"));
        eprintln!("not run: {what}: {}", why.lines().next().unwrap_or_default());
        self.all.not_run.push(NotRun { what, why });
    }
}

impl Scenario {
    pub fn run(self, context: &Context, machine: &Machine, figures: &mut Figures) -> Result<()> {
        eprintln!("scenario {}", self.to_possible_value().expect("no variant is hidden").get_name());
        let mut notes = Notes { scenario: self, all: figures };
        let outcome = match self {
            Self::Scale => scale::run(context, &mut notes),
            Self::Workers => workers::run(context, machine, &mut notes),
            Self::Latency => latency::run(context, &mut notes),
            Self::Idle => idle::run(context, &mut notes),
            Self::Change => change::run(context, &mut notes),
            Self::Restart => restart::run(context, &mut notes),
        };
        if let Err(error) = outcome {
            crate::interrupt::check()?;
            notes.miss("the rest of it", &error);
        }
        Ok(())
    }
}

/// One second of the maximum rate of the generator.
const FULL_LOAD: Conditions = Conditions { window: Duration::from_secs(1), cap: None, way: Way::Live };

pub fn print(figures: &Figures) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["scenario", "figure", "", "", ""]);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut last = None;
    for Figure { scenario, what, value, unit, remark } in &figures.figures {
        let name =
            if last == Some(*scenario) { String::new() } else { format!("{scenario:?}").to_lowercase() };
        last = Some(*scenario);
        let value = if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") };
        table.add_row([name, what.clone(), value, (*unit).to_owned(), remark.clone()]);
    }
    if last.is_some() {
        println!("{table}");
    }
    for NotRun { what, why } in &figures.not_run {
        println!("not run: {what}: {}", why.lines().next().unwrap_or_default());
    }
}
