//! Panics go to the log: the standard hook writes to stderr itself, and blocks where stderr does.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// Logs each panic from now on, with a backtrace where `RUST_BACKTRACE` asks for one.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(thread, "{panic}\n{backtrace}");
        } else {
            tracing::error!(thread, "{panic}");
        }
    }));
}
