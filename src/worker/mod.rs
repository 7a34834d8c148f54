//! The threads that move frames, and the control thread's hold on them.
//!
//! A worker owns whole (link, queue) pairs: their sockets, and the frames in them. Workers share nothing but the
//! published tables, single-writer counters, and a bounded lock-free queue into each of them for frames whose link
//! another one owns.

mod budget;
mod clock;
mod command;
mod doorbell;
mod idle;
mod inbox;
mod open_socket;
mod outlet;
mod pass;
mod pool;
mod sockets;

pub use clock::monotonic_ns;
pub use command::{SocketReport, WorkerReport};
pub use pool::{WorkerPool, WorkerPoolError};

#[cfg(test)]
mod on_real_sockets;
#[cfg(test)]
mod testbed;
