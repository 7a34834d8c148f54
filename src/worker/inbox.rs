//! Packets that other workers left for a worker.

use std::io;

use crossbeam::queue::ArrayQueue;

use super::doorbell::Doorbell;
use crate::datapath::HandedOver;

/// Packets that may wait in front of a worker.
const CAPACITY: usize = 4096;

/// The queue in front of a worker, which any other may write.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) packets: ArrayQueue<HandedOver>,
    pub(super) doorbell: Doorbell,
}

impl Inbox {
    /// # Errors
    /// The kernel has no eventfd left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { packets: ArrayQueue::new(CAPACITY), doorbell: Doorbell::new()? })
    }
}
