//! The commands, one file each.

mod check;
mod daemon;
mod failure;
pub mod nb;
mod output;
mod run;
mod show;
mod stats;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::types::sentence;
use failure::failure;

/// An AF_XDP switch that maps 802.1Q tags to logical ports
#[derive(Debug, Parser)]
#[command(name = "trunkpath", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the switch until SIGINT or SIGTERM
    Run(run::RunArgs),
    /// Read and write the northbound DB, with the switch running or not
    Nb(nb::NbArgs),
    /// Show ports, networks, workers, problems and the northbound DB of a running switch
    Show(show::ShowArgs),
    /// Show a running switch's counters
    Stats(stats::StatsArgs),
    /// Show the route of a frame through a running switch, without sending it
    Trace(trace::TraceArgs),
    /// Check whether this host has what the switch needs
    Check(check::CheckArgs),
}

impl Command {
    /// Whether the output is for a program; then an error is JSON, too.
    fn wants_json(&self) -> bool {
        match self {
            Self::Run(_) => false,
            Self::Nb(args) => args.wants_json(),
            Self::Show(args) => args.daemon.json,
            Self::Stats(args) => args.daemon.json,
            Self::Trace(args) => args.daemon.json,
            Self::Check(args) => args.json,
        }
    }
}

/// Parses the command line and runs the command. Errors go to stderr, or with `--json` to stdout
/// as `{"error": ...}`.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    let wants_json = command.wants_json();
    let done = match command {
        Command::Run(args) => run::run(&args),
        Command::Nb(args) => nb::run(args).map(|()| ExitCode::SUCCESS),
        Command::Show(args) => show::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Stats(args) => stats::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Trace(args) => trace::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::run(&args),
    };
    done.unwrap_or_else(|error| {
        if output::is_closed(&error) {
            return ExitCode::SUCCESS;
        }
        if wants_json {
            let answer = json!({ "error": sentence(error.as_ref()) });
            output::print_json(&answer).unwrap_or_default();
            return ExitCode::FAILURE;
        }
        // Not `eprintln!`, which panics when stderr is closed or full.
        writeln!(io::stderr(), "{}", failure(error.as_ref())).unwrap_or_default();
        ExitCode::FAILURE
    })
}
