use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time of `CLOCK_MONOTONIC` in nanoseconds, the clock of the workers.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    now.as_nanos() as u64
}
