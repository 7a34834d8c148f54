//! Instructions per frame, which unlike time are the same in each run: `cargo bench --bench instructions`,
//! with `-- --json FILE` for a file that `scripts/bench` compares. Requires `valgrind`.
//!
//! The bench starts itself again under callgrind, which counts instructions inside [`cases`]' function
//! `counted`. A crate like gungraun does the same, but needs a second program of exactly its own version.

#![allow(missing_docs, reason = "a bench has no API")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up has failed")]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "figures for people")]

mod callgrind;
mod cases;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use serde_json::json;

use cases::{CASES, FRAMES};

/// Counts the instructions that the datapath takes for a frame.
#[derive(Parser)]
struct Arguments {
    /// Writes the figures to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs this case instead of counting. Callgrind starts the program with this option.
    #[arg(long, hide = true, value_name = "CASE")]
    run: Option<String>,
    /// Passed by `cargo bench`, and ignored.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(name) = arguments.run {
        let case = CASES.iter().find(|case| case.name() == name);
        case.with_context(|| format!("{name:?} is no case"))?.run();
        return Ok(());
    }
    let mut instructions = serde_json::Map::new();
    println!("{:<28} {:>22}", "case", "instructions per frame");
    for case in &CASES {
        let name = case.name();
        let count = callgrind::count(&["--run", &name])?;
        println!("{name:<28} {:>22.1}", count as f64 / FRAMES as f64);
        instructions.insert(name, count.into());
    }
    if let Some(file) = arguments.json {
        let json = json!({
            "rustc": callgrind::version("rustc", "-V")?,
            "valgrind": callgrind::version("valgrind", "--version")?,
            "frames": FRAMES,
            "instructions": instructions,
        });
        std::fs::write(file, format!("{json:#}\n"))?;
    }
    Ok(())
}
