//! The way out of the datapath: this worker's TX rings, or another worker's inbox.

use std::mem;
use std::sync::Arc;

use super::clock::monotonic_ns;
use super::inbox::Inbox;
use super::sockets::Sockets;
use crate::datapath::{HandedOver, Outlet};
use crate::tables::{Exit, PortCounters, WorkerId};
use crate::types::drop_reason::Transmit;
use crate::xsk::{ChunkPool, Frame};

/// What a worker can reach.
#[derive(Debug)]
pub(super) struct WorkerOutlet {
    pub(super) worker: WorkerId,
    pub(super) pool: ChunkPool,
    pub(super) sockets: Sockets,
    /// Every worker's inbox, by worker.
    pub(super) inboxes: Arc<[Inbox]>,
    /// The workers to wake after this pass, by worker.
    to_wake: Vec<bool>,
    /// Chunks allocated for copies and segments.
    pub(super) copies: usize,
    /// The time of this pass, once a step has asked for it.
    now_ns: Option<u64>,
}

impl WorkerOutlet {
    pub(super) fn new(worker: WorkerId, pool: ChunkPool, inboxes: Arc<[Inbox]>) -> Self {
        let to_wake = vec![false; inboxes.len()];
        Self { worker, pool, sockets: Sockets::default(), inboxes, to_wake, copies: 0, now_ns: None }
    }

    /// This worker's own inbox.
    pub(super) fn inbox(&self) -> Option<&Inbox> {
        self.inboxes.get(self.worker)
    }

    /// Ends a pass: sends everything staged, and wakes the workers that packets were left for.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.now_ns = None;
        self.sockets.flush();
        for (to_wake, inbox) in self.to_wake.iter_mut().zip(self.inboxes.iter()) {
            if mem::take(to_wake) {
                inbox.doorbell.ring();
            }
        }
    }

    #[cold]
    fn drop_frame(&mut self, counters: &PortCounters, reason: Transmit, frame: Frame) {
        if let Some(counters) = counters.of(self.worker) {
            counters.dropped(reason.into());
        }
        self.pool.put(frame);
    }
}

impl Outlet for WorkerOutlet {
    #[inline]
    fn worker(&self) -> WorkerId {
        self.worker
    }

    #[inline]
    fn allocate(&mut self) -> Option<Frame> {
        self.copies += 1;
        self.pool.take()
    }

    fn now_ns(&mut self) -> u64 {
        *self.now_ns.get_or_insert_with(monotonic_ns)
    }

    /// Puts the frame on the way into the TX ring of a socket of this worker.
    #[inline]
    fn transmit(&mut self, frame: Frame, exit: &Exit<'_>) {
        let bytes = frame.len();
        let staged = match self.sockets.exit(exit.slot.link, exit.queue) {
            Some(open) => open.stage(frame, &mut self.pool).map_err(|frame| (frame, Transmit::RingFull)),
            None => Err((frame, Transmit::NoSocket)),
        };
        match staged {
            Ok(()) => {
                if let Some(counters) = exit.port.counters.of(self.worker) {
                    counters.sent(bytes);
                }
            }
            Err((frame, reason)) => self.drop_frame(&exit.port.counters, reason, frame),
        }
    }

    fn hand_over(&mut self, worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver> {
        match self.inboxes.get(worker) {
            Some(inbox) => inbox.packets.push(packet)?,
            None => return Err(packet),
        }
        if let Some(to_wake) = self.to_wake.get_mut(worker) {
            *to_wake = true;
        }
        Ok(())
    }

    #[inline]
    fn release(&mut self, frame: Frame) {
        self.pool.put(frame);
    }
}
