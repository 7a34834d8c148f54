//! Commands of the control thread to a worker, and their replies.

use crossbeam::channel::Receiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::budget::Shares;
use crate::datapath::{ConnectionPage, Entry};
use crate::tables::LinkSlot;
use crate::types::QueueId;
use crate::xsk::{Frame, RingCensus, SocketStatistics, XskSocket};

/// A command to a worker, executed between two passes.
#[derive(Debug)]
pub(super) enum Command {
    /// Adds a socket. `ready` is sent when it can receive.
    Attach {
        link: LinkSlot,
        socket: Box<XskSocket>,
        ready: oneshot::Sender<()>,
    },
    /// Returns the sockets of a link.
    Detach {
        link: LinkSlot,
        reply: oneshot::Sender<Vec<XskSocket>>,
    },
    /// Forwards a frame that control received, as if it had come in by `entry`.
    Inject {
        entry: Entry,
        frame: Frame,
        /// Counts it until it is forwarded.
        permit: OwnedSemaphorePermit,
    },
    SetShares(Shares),
    Report {
        reply: oneshot::Sender<WorkerReport>,
    },
    /// Turns a page of connections.
    Turn {
        page: ConnectionPage,
        reply: oneshot::Sender<ConnectionPage>,
    },
    Stop,
    #[cfg(test)]
    Panic,
}

pub(super) type Mailbox = Receiver<Command>;

/// The chunks and sockets of a worker.
#[derive(Debug, Clone, Default)]
pub struct WorkerReport {
    /// One entry per open socket.
    pub sockets: Vec<SocketReport>,
    /// Number of free chunks in its pool.
    pub pool: usize,
}

/// The chunks of a socket, and its counters in the kernel.
#[derive(Debug, Clone, Copy)]
pub struct SocketReport {
    /// Slot of its link in the tables.
    pub link: LinkSlot,
    /// RX and TX queue that it is bound to.
    pub queue: QueueId,
    /// Number of chunks in its rings.
    pub rings: RingCensus,
    /// Counters of the kernel since the socket was opened.
    pub statistics: SocketStatistics,
    /// Whether its link still exists.
    pub is_bound: bool,
}
