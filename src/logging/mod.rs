//! The daemon's log.
//!
//! Logging never blocks and never stops the switch, also when stderr is a pipe without a reader, a file on a
//! full disk or a stopped terminal. Lines wait in a bounded queue for a thread that writes them. Lines that
//! do not fit the queue, or cannot be written, are counted; a notice with their number precedes the next line
//! that is written.
//!
//! `tracing-appender` has such a queue as well, but its shutdown calls `println!` when the queue is full,
//! which blocks on the same pipe.

mod format;
mod panics;
mod writer;

pub use writer::{LogLoss, LogThread};

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts the log thread, and sends every event and every panic of the process to it. `RUST_LOG` filters
/// events (default: `info`).
///
/// # Errors
/// The system's error if the thread cannot be started.
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
