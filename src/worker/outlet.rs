//! The exits of the datapath: TX rings of this worker, inboxes of other workers.

use std::mem;
use std::sync::Arc;

use super::clock::monotonic_ns;
use super::inbox::Inbox;
use super::sockets::Sockets;
use crate::datapath::{HandedOver, Outlet};
use crate::tables::{Exit, PortCounters, WorkerId};
use crate::types::drop_reason::Transmit;
use crate::xsk::{ChunkPool, Frame};

/// The resources of a worker that the datapath uses.
#[derive(Debug)]
pub(super) struct WorkerOutlet {
    pub(super) worker: WorkerId,
    pub(super) pool: ChunkPool,
    pub(super) sockets: Sockets,
    /// The inboxes of all workers, by worker.
    pub(super) inboxes: Arc<[Inbox]>,
    /// Whether to wake each worker after this pass, by worker.
    to_wake: Vec<bool>,
    /// Chunks allocated for copies and segments.
    pub(super) copies: usize,
    /// The time of this pass, after a step has requested it.
    now_ns: Option<u64>,
}

impl WorkerOutlet {
    pub(super) fn new(worker: WorkerId, pool: ChunkPool, inboxes: Arc<[Inbox]>) -> Self {
        let to_wake = vec![false; inboxes.len()];
        Self { worker, pool, sockets: Sockets::default(), inboxes, to_wake, copies: 0, now_ns: None }
    }

    /// The inbox of this worker itself.
    pub(super) fn inbox(&self) -> Option<&Inbox> {
        self.inboxes.get(self.worker)
    }

    /// Has the clock read again when the time is requested next.
    #[inline]
    pub(super) const fn forget_time(&mut self) {
        self.now_ns = None;
    }

    /// Ends a pass: transmits all staged frames, and wakes the workers that packets were handed over to.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.forget_time();
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

    /// Stages the frame for the TX ring of a socket of this worker.
    #[inline]
    fn transmit(&mut self, frame: Frame, exit: &Exit<'_>) {
        let bytes = frame.len();
        let staged = match self.sockets.get_to_send(exit.link, exit.queue) {
            Some(open) => open.stage(frame, &mut self.pool).map_err(|frame| (frame, Transmit::RingFull)),
            None => Err((frame, Transmit::NoSocket)),
        };
        match staged {
            Ok(()) => {
                if let Some(counters) = exit.counters().of(self.worker) {
                    counters.sent(bytes);
                }
            }
            Err((frame, reason)) => self.drop_frame(exit.counters(), reason, frame),
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
