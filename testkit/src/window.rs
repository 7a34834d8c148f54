//! Flow control of a sender on a busy machine: the number of frames in flight is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Pause between two frames. Real pauses are about 60 microseconds longer.
const BREATH: Duration = Duration::from_micros(200);
/// Frames in flight: half of the ring between a veth and its XDP program.
const WINDOW: u64 = 128;
/// After this time without an arrival, frames in flight count as lost; the test detects it.
const SILENCE: Duration = Duration::from_secs(1);

/// State of a sender: frames sent and arrived.
#[derive(Debug)]
pub struct Window {
    /// Frames that arrived, counted by the capture.
    arrived: Arc<AtomicU64>,
    /// Count of arrived frames when none was in flight.
    before: u64,
    sent: u64,
}

impl Window {
    /// For a sender that has no frames in flight.
    pub fn new(arrived: Arc<AtomicU64>) -> Self {
        Self { before: arrived.load(Ordering::Relaxed), arrived, sent: 0 }
    }

    /// Waits after a frame until the next one may be sent.
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
