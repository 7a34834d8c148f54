//! What a worker remembers from one packet to the next: plain memory with one writer, made when the worker
//! starts.

pub(crate) mod connections;
mod meter;

use connections::Connections;
pub use connections::{Connection, ConnectionPage};
use meter::Meters;

/// The state of one worker.
#[derive(Debug)]
pub struct State {
    /// The connections of filtered ports.
    pub(super) connections: Connections,
    /// The rations of the guests, by the slots of their links.
    pub(super) meters: Meters,
    /// The rations of senders on other hosts, by the slots of their networks.
    pub(super) outside_meters: Meters,
    /// The identification of the last IPv4 packet of a tunnel.
    pub(super) ipv4_id: u16,
}

/// Connections that a worker remembers, in 92 MB, which are used as far as there are some.
const CONNECTIONS: u32 = 1 << 20;

/// Places of connections that a pass examines for one that is over: all within seconds, if there is traffic.
const SWEEP: usize = 64;

impl Default for State {
    fn default() -> Self {
        Self::new(CONNECTIONS)
    }
}

impl State {
    /// A state with room for `connections` connections.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        Self {
            connections: Connections::new(connections),
            meters: Meters::default(),
            outside_meters: Meters::default(),
            ipv4_id: 0,
        }
    }

    /// Turns a drained page of connections into the next one.
    pub fn turn(&self, page: &mut ConnectionPage) {
        self.connections.turn(page);
    }

    /// Begins a pass over the sockets at this time of a monotonic clock, in nanoseconds: for the steps that
    /// remember for seconds.
    pub fn begin_pass(&mut self, now_ns: u64) {
        self.connections.begin_pass((now_ns / 1_000_000_000) as u32, SWEEP);
    }
}
