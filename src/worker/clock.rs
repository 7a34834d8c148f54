use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The workers' clock, `CLOCK_MONOTONIC`, in nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    now.as_nanos() as u64
}
