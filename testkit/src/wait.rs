//! Waits for a condition, with one time limit for all.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time limit of each wait. It is no measurement: a busy machine may need most of it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Polls `probe` until it returns a value.
///
/// # Panics
///
/// If there is none within [`PATIENCE`].
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
