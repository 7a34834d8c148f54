//! Panic hook that writes to the log: the standard hook writes to stderr itself, which may block.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// Installs a hook that logs each panic, with a backtrace if `RUST_BACKTRACE` requests one.
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
