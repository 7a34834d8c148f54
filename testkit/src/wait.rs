//! Waiting for a condition and not for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take. It bounds a wait and measures nothing: a busy machine may use most of it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Polls `probe` until it has an answer.
///
/// # Panics
/// When there is none in time.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}
