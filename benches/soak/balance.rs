//! Balance of frames: received, sent, and dropped by reason.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Counts of all ports together, since the daemon's start. No frame of a soak is copied, so each has one
/// outcome.
#[derive(Debug)]
pub struct Balance {
    received: u64,
    sent: u64,
    drops: BTreeMap<String, u64>,
}

impl Balance {
    /// Balance of the output of `trunkpath stats --json`.
    pub fn of(stats: &Value) -> Self {
        let mut balance = Self { received: 0, sent: 0, drops: BTreeMap::new() };
        for port in stats["ports"].as_array().unwrap() {
            balance.received += port["received_frames"].as_u64().unwrap();
            balance.sent += port["sent_frames"].as_u64().unwrap();
            for (reason, count) in port["drops"].as_object().unwrap() {
                *balance.drops.entry(reason.clone()).or_default() += count.as_u64().unwrap();
            }
        }
        // Frames from a link without a port are received by no port.
        balance.received += balance.drops.get("classify_no_port").copied().unwrap_or_default();
        balance
    }

    /// Prints a line for each reason.
    pub fn print_drops(&self) {
        for (reason, count) in &self.drops {
            println!("{count:12} {reason}");
        }
    }

    /// Asserts that every received frame was sent or dropped; it holds when no frame is in flight.
    ///
    /// # Panics
    ///
    /// If a frame has no outcome, or two.
    pub fn assert_even(&self) {
        assert_eq!(self.received, self.sent + self.dropped(), "frames in, and frames out or dropped");
    }

    fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_their_way = self.received.abs_diff(self.sent + self.dropped());
        write!(f, "{} frames in = {} out + {} dropped", self.received, self.sent, self.dropped())?;
        if on_their_way > 0 { write!(f, ", {on_their_way} on their way") } else { Ok(()) }
    }
}
