//! What the control thread asks of a worker, and what the worker answers.

use crossbeam::channel::Receiver;
use tokio::sync::oneshot;

use super::budget::Shares;
use crate::tables::LinkSlot;
use crate::types::QueueId;
use crate::xsk::{RingCensus, SocketStatistics, XskSocket};

/// What control may ask of a worker. Worked off between two passes.
#[derive(Debug)]
pub(super) enum Command {
    /// Own this socket, and say when it receives.
    Attach { link: LinkSlot, socket: Box<XskSocket>, ready: oneshot::Sender<()> },
    /// Give up the sockets of this link.
    Detach { link: LinkSlot, reply: oneshot::Sender<Vec<XskSocket>> },
    /// Go by these shares of the frames.
    Share(Shares),
    /// Count.
    Report { reply: oneshot::Sender<WorkerReport> },
    /// Stop.
    Stop,
    /// Die.
    #[cfg(test)]
    Panic,
}

pub(super) type Mailbox = Receiver<Command>;

/// What a worker holds.
#[derive(Debug, Clone, Default)]
pub struct WorkerReport {
    /// Its sockets.
    pub sockets: Vec<SocketReport>,
    /// Free frames in its pool.
    pub pool: usize,
}

/// What a socket holds and the kernel counted of it.
#[derive(Debug, Clone, Copy)]
pub struct SocketReport {
    /// The link.
    pub link: LinkSlot,
    /// The queue.
    pub queue: QueueId,
    /// Frames in its rings.
    pub rings: RingCensus,
    /// The kernel's counters.
    pub statistics: SocketStatistics,
    /// Whether its device is still there.
    pub is_bound: bool,
}
