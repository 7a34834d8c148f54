//! Packet rates of several datapaths, side by side: `scripts/bench`.
//!
//! Every datapath has a testbed of its own, two namespaces with veths between them; a generator on one CPU
//! offers frames, the datapath forwards them on another, and a sink at the far end counts the right ones.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a bench prints, ends when it cannot go on, and its figures are not exact to 52 bits"
)]

mod baseline;
mod bpf;
mod child;
mod frames;
mod generator;
mod interrupt;
mod job;
mod machine;
mod measure;
mod peers;
mod plan;
mod regression;
mod report;
mod scenarios;
mod sink;
mod testbed;
mod threads;
mod underlay;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum as _};

use generator::Way;
use job::Job;
use machine::Machine;
use measure::Conditions;
use peers::{Context, Kind};
use plan::{Plan, Results};
use scenarios::{Figures, Scenario};

/// Measures packet rates side by side
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure rates and scenarios
    Run(Run),
    /// Forward without tables, in a testbed; the bench starts this itself
    #[command(hide = true)]
    Forward(peers::Forward),
    /// Send frames from an AF_XDP socket; the bench starts this itself
    #[command(hide = true)]
    Transmit(generator::Transmit),
}

/// Options of a measurement.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Run {
    /// Under two minutes: fewer datapaths, two jobs, three rounds
    #[arg(long)]
    quick: bool,
    /// Rounds of up-64, down-64, and the same with a tunnel or security groups; other jobs have less than half of them
    /// [default: 7, quick: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Compare ratios and instructions with benches/baseline.json, and fail if one is worse than it may be
    #[arg(long)]
    check: bool,
    /// With --check or --rebase: instructions only, which need no machine of their own
    #[arg(long)]
    no_rates: bool,
    /// Write them into benches/baseline.json
    #[arg(long, conflicts_with = "check")]
    rebase: bool,
    /// Output of `cargo bench --bench instructions -- --json FILE`, passed by scripts/bench
    #[arg(long, value_name = "FILE", hide = true)]
    instructions: Option<PathBuf>,
    /// Measure only these datapaths
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Measure only these jobs, as in up-64,down-imix,up-64-1000vids. Those with a tunnel or security groups
    /// have to be listed: encap-64,decap-64,encap-1518,decap-1518,groups-up-64,groups-down-64
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<Job>,
    /// Measure only these scenarios, and no rates
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Maximum rate of offered frames per second
    #[arg(long, value_name = "N")]
    pps: Option<u32>,
    /// How to make the frames
    #[arg(long, value_enum, default_value_t = Way::Live)]
    generator: Way,
    /// Write everything to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the rates into an SVG file
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

impl Run {
    /// Scenarios of the command line; all in a full run.
    fn scenarios(&self) -> &[Scenario] {
        let is_full = !self.quick && self.only.is_empty() && self.jobs.is_empty();
        if self.scenario.is_empty() && is_full { Scenario::value_variants() } else { &self.scenario }
    }

    fn plan(&self) -> Plan {
        let rounds = self.rounds.map_or(if self.quick { 3 } else { 7 }, usize::from);
        let jobs = match (self.jobs.as_slice(), self.quick) {
            ([], true) => vec![Job::UP, Job::DOWN],
            ([], false) => Job::all(),
            (jobs, _) => jobs.to_vec(),
        };
        let does_any = |kind: &Kind| jobs.iter().any(|job| kind.refuses(*job).is_none());
        let kinds = match (self.only.as_slice(), self.quick) {
            ([], true) => Kind::QUICK.to_vec(),
            ([], false) => Kind::value_variants().iter().copied().filter(does_any).collect(),
            (only, _) => only.to_vec(),
        };
        let conditions = Conditions { window: Duration::from_secs(1), cap: self.pps, way: self.generator };
        Plan { kinds, jobs, rounds, rounds_of_others: rounds.div_ceil(2).min(3), conditions }
    }
}

fn main() -> ExitCode {
    // `cargo bench` adds this argument.
    let arguments: Vec<_> = std::env::args().filter(|argument| argument != "--bench").collect();
    // Options for the benches of criterion are passed to this one too.
    if arguments.get(1).is_none_or(|first| first.starts_with("--") && first != "--help") {
        println!("rate: needs root and some minutes, so it does not run by itself: `scripts/bench` runs it");
        return ExitCode::SUCCESS;
    }
    let outcome = match Cli::parse_from(arguments).command {
        Command::Run(options) => run(&options),
        Command::Forward(options) => peers::forward(&options),
        Command::Transmit(options) => generator::transmit(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripts/bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Run) -> Result<()> {
    interrupt::listen()?;
    let machine = Machine::look()?;
    let folder = tempfile::Builder::new().prefix("tp-bench-").tempdir()?;
    let context = machine::obstacle()
        .and_then(|()| Context::new(folder.path().to_owned(), machine.split()?, &options.jobs));
    let instructions = options.instructions.as_deref();
    if options.check || options.rebase {
        if let (Err(error), false) = (&context, options.no_rates) {
            eprintln!("not run: rates: {error:#}");
        }
        let context = context.as_ref().ok().filter(|_| !options.no_rates);
        return if options.check {
            regression::check(context, instructions)
        } else {
            regression::rebase(context, instructions)
        };
    }

    let plan = options.plan();
    let (mut results, figures) = match &context {
        Ok(context) => measure_all(options, &plan, context, &machine)?,
        Err(error) => {
            let mut results = Results::default();
            results.miss("everything", &format!("{error:#}"));
            (results, Figures::default())
        }
    };
    let rows = report::rows(&plan, &results, machine.mhz);
    report::note_slow_generator(&plan, &rows, &mut results);
    report::print(&machine, &rows, &results.not_run);
    scenarios::print(&figures);
    if let Some(path) = &options.json {
        report::write(path, &machine, (&plan, &results), &rows, &figures)?;
    }
    if let Some(path) = &options.chart {
        report::draw(path, &machine, &rows)?;
    }
    Ok(())
}

fn measure_all(
    options: &Run,
    plan: &Plan,
    context: &Context,
    machine: &Machine,
) -> Result<(Results, Figures)> {
    let results = if options.scenario.is_empty() { plan.run(context)? } else { Results::default() };
    let mut figures = Figures::default();
    for scenario in options.scenarios() {
        scenario.run(context, machine, &mut figures)?;
    }
    Ok((results, figures))
}
