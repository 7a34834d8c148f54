//! A sender that lasts, on a machine whose CPUs others use, too: it does not run ahead of what arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two frames. Real pauses are some 60 microseconds longer.
const BREATH: Duration = Duration::from_micros(200);
/// Frames that are on their way at most: half of what a veth has room for.
const WINDOW: u64 = 128;
/// How long frames are waited for that do not arrive. They are lost then, which the test will see.
const SILENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Window {
    /// Counts up.
    arrived: Arc<AtomicU64>,
    /// What it was when nothing was on its way.
    before: u64,
    sent: u64,
}

impl Window {
    /// Nothing is on its way yet.
    pub fn new(arrived: Arc<AtomicU64>) -> Self {
        Self { before: arrived.load(Ordering::Relaxed), arrived, sent: 0 }
    }

    /// Waits, after a frame, until the next one may be sent.
    pub fn wait(&mut self) {
        self.sent += 1;
        let since = Instant::now();
        loop {
            sleep(BREATH);
            let arrived = self.arrived.load(Ordering::Relaxed);
            if self.sent < arrived - self.before + WINDOW {
                return;
            }
            if since.elapsed() > SILENCE {
                (self.before, self.sent) = (arrived, 0);
            }
        }
    }
}
