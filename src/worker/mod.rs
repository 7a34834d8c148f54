//! The threads that move frames, and their handle for the control thread ([`WorkerPool`]).
//!
//! A worker owns whole (link, queue) pairs: their sockets, and the frames in them. Workers share only the
//! published tables, counters with a single writer each, and per worker a bounded lock-free queue for packets
//! whose link it owns.

mod budget;
mod clock;
mod command;
mod doorbell;
mod error;
mod idle;
mod inbox;
mod open_socket;
mod outlet;
mod pass;
mod pool;
mod reporter;
mod sockets;

pub use clock::monotonic_ns;
pub use command::{SocketReport, WorkerReport};
pub use error::WorkerPoolError;
pub use pool::WorkerPool;
pub use reporter::WorkerReporter;

#[cfg(test)]
mod on_real_sockets;
#[cfg(test)]
mod testbed;
