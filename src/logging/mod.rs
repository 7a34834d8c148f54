//! The daemon's log.
//!
//! A log line never blocks and never ends the switch: stderr may be a pipe that nobody reads, a file on a full disk, a
//! terminal that is stopped. Lines wait in a bounded queue for a thread that writes them; those that find the queue
//! full, or that cannot be written, are counted, and the next line that is written says how many are missing.
//!
//! `tracing-appender` has such a queue as well, but ends with a `println!` when the queue is full, which blocks on the
//! very pipe that filled it.

mod format;
mod panics;
mod writer;

pub use writer::{LogLoss, LogThread};

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts the log thread, and sends every event and every panic of the process to it. `RUST_LOG` filters events
/// (default: `info`).
///
/// # Errors
/// The thread cannot be started.
pub fn start() -> std::io::Result<LogThread> {
    let thread = LogThread::start(stderr())?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_writer(thread.writer())
        .with_ansi(stderr().is_terminal())
        .with_env_filter(filter)
        .fmt_fields(format::one_line())
        .log_internal_errors(false)
        .init();
    panics::log_panics();
    Ok(thread)
}
