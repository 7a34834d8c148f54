//! The commands, one file each.

mod check;
pub mod nb;
mod output;
mod run;
mod show;
mod stats;
mod trace;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::{Answer, Client, Query};
use crate::config::DEFAULT_API;
pub(crate) use output::printable;

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
    /// Show what a running switch knows
    Show(show::ShowArgs),
    /// Show a running switch's counters
    Stats(stats::StatsArgs),
    /// Ask a running switch what it would do with a frame
    Trace(trace::TraceArgs),
    /// Look for what would keep the switch from working on this host
    Check(check::CheckArgs),
}

impl Command {
    /// Whether the output is read by a program, and so is an error.
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

/// Parses the command line and does what it says. Errors go to stderr, or with `--json` to stdout
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

/// The line that a command ends with when it fails.
fn failure(error: &(dyn Error + 'static)) -> String {
    format!("trunkpath: {}", output::printable(&sentence(error)))
}

/// The error and its causes, without repetition: some errors include the text of their cause.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    anyhow::Chain::new(error).map(ToString::to_string).fold(String::new(), |said, cause| {
        match said.as_str() {
            "" => cause,
            _ if said.contains(&cause) => said,
            _ => format!("{said}: {cause}"),
        }
    })
}

/// The state of links is looked at every second: what is older than this waits for something.
const OLD_SECS: u64 = 4;

/// How every command that asks the daemon finds it, and how it answers.
#[derive(Debug, clap::Args)]
struct DaemonArgs {
    /// The daemon's socket
    #[arg(long, value_name = "SOCKET", default_value = DEFAULT_API)]
    api: PathBuf,
    /// Print the daemon's answer as JSON
    #[arg(long)]
    json: bool,
    /// How long an answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl DaemonArgs {
    async fn connect(&self) -> anyhow::Result<Client> {
        Ok(Client::connect(&self.api, Duration::from_secs(self.timeout)).await?)
    }
}

/// Runs `command` on a runtime of its own.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(command)
}

/// Asks for something and reads the answer.
async fn ask<T: DeserializeOwned>(client: &mut Client, query: &Query) -> anyhow::Result<T> {
    read(ask_json(client, query).await?)
}

/// Asks for something. Tells on stderr if the answer is an old one.
async fn ask_json(client: &mut Client, query: &Query) -> anyhow::Result<Value> {
    let Answer { value, age_secs } = client.ask(query).await?;
    if age_secs >= OLD_SECS {
        let note = format!(
            "trunkpath: the state of the links is {age_secs} s old: the daemon waits for the kernel, see `trunkpath show problems`"
        );
        writeln!(io::stderr(), "{note}").unwrap_or_default();
    }
    Ok(value)
}

fn read<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer)
        .context("the daemon's answer is not what this version of trunkpath expects")
}
