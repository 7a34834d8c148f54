//! Packets that other workers hand over to a worker.

use std::io;

use crossbeam::queue::ArrayQueue;

use super::doorbell::Doorbell;
use crate::datapath::HandedOver;

/// Number of packets that the queue holds.
const CAPACITY: usize = 4096;

/// The queue of a worker for packets from all others (several producers, one consumer).
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
