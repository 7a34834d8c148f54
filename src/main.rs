//! `trunkpath nb`.

use std::process::ExitCode;

use clap::Parser;
use trunkpath::cli::nb::{self, NbArgs};

#[derive(Parser)]
enum Command {
    /// Read and write the northbound DB.
    Nb(NbArgs),
}

fn main() -> ExitCode {
    let Command::Nb(args) = Command::parse();
    match nb::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trunkpath: {error:#}");
            ExitCode::FAILURE
        }
    }
}
