//! Where the datapath's frames go: this worker's TX rings, or another worker's queue.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::clock::monotonic_ns;
use super::doorbell::Doorbell;
use super::sockets::Sockets;
use crate::datapath::{DropReason, Outlet, Prepared, Source};
use crate::tables::{Egress, PortCounters, PortSlot, Reader, Tables, WorkerId};
use crate::types::QueueId;
use crate::xsk::{ChunkPool, Frame};

/// Frames that may wait in front of a worker.
pub(super) const HANDOVER_FRAMES: usize = 4096;

/// A frame for a link that another worker owns, ready for the wire.
#[derive(Debug)]
pub(super) struct HandedOver {
    frame: Frame,
    queue: QueueId,
    to: PortSlot,
    prepared: Prepared,
}

/// A worker's inbox: frames from other workers.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) frames: ArrayQueue<HandedOver>,
    pub(super) doorbell: Doorbell,
}

/// What a worker can reach.
#[derive(Debug)]
pub(super) struct WorkerOutlet {
    pub(super) worker: WorkerId,
    pub(super) pool: ChunkPool,
    pub(super) sockets: Sockets,
    /// Every worker's inbox, by worker.
    pub(super) inboxes: Arc<[Inbox]>,
    /// Workers to wake after this pass.
    ring: Vec<bool>,
    /// Chunks taken for copies and segments.
    pub(super) copies: usize,
    /// The time of this pass, once somebody asked.
    now: Option<u64>,
    /// The queue that the frame at hand came from. Its frames leave through one queue of each link, in order.
    pub(super) queue: QueueId,
}

impl WorkerOutlet {
    pub(super) fn new(worker: WorkerId, pool: ChunkPool, inboxes: Arc<[Inbox]>) -> Self {
        let ring = vec![false; inboxes.len()];
        Self {
            worker,
            pool,
            sockets: Sockets::default(),
            inboxes,
            ring,
            copies: 0,
            now: None,
            queue: QueueId(0),
        }
    }

    /// This worker's own inbox.
    fn inbox(&self) -> Option<&Inbox> {
        self.inboxes.get(self.worker)
    }

    /// Takes one frame that another worker left here, if there is one, and sends it by the newest tables.
    #[inline]
    pub(super) fn take_handed_over(&mut self, tables: &mut Reader) -> bool {
        let Some(handed) = self.inbox().and_then(|inbox| inbox.frames.pop()) else { return false };
        // Looked up after the frame was taken, so these are no older than the tables of the worker that left it.
        let tables = tables.latest();
        let HandedOver { mut frame, queue, to, prepared } = handed;
        let Some(to) = tables.egress(to).filter(|to| prepared.is_for(to.port)) else {
            self.lose(&tables.no_port, DropReason::TransmitNoSocket, frame);
            return true;
        };
        let renewed =
            if prepared.is_current(tables) { Ok(()) } else { prepared.renew(&mut frame, to, tables) };
        match renewed {
            Ok(()) => self.stage(queue, to, frame),
            Err(reason) => self.lose(&to.port.counters, reason, frame),
        }
        true
    }

    /// Ends a pass: sends everything staged, and wakes the workers that frames were left for.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.now = None;
        self.sockets.flush();
        for (ring, inbox) in self.ring.iter_mut().zip(self.inboxes.iter()) {
            if std::mem::take(ring) {
                inbox.doorbell.ring();
            }
        }
    }

    /// Puts a frame on the way into the TX ring of one of our sockets.
    #[inline]
    fn stage(&mut self, queue: QueueId, to: Egress<'_>, frame: Frame) {
        let bytes = frame.len();
        let staged = match self.sockets.exit(to.slot.link, queue) {
            Some(open) => {
                open.stage(frame, &mut self.pool).map_err(|frame| (frame, DropReason::TransmitRingFull))
            }
            None => Err((frame, DropReason::TransmitNoSocket)),
        };
        match staged {
            Ok(()) => {
                if let Some(counters) = to.port.counters.of(self.worker) {
                    counters.sent(bytes);
                }
            }
            Err((frame, reason)) => self.lose(&to.port.counters, reason, frame),
        }
    }

    fn hand_over(&mut self, owner: WorkerId, handed: HandedOver, to: Egress<'_>) {
        let pushed = match self.inboxes.get(owner) {
            Some(inbox) => inbox.frames.push(handed),
            None => Err(handed),
        };
        match pushed {
            Ok(()) => {
                if let Some(ring) = self.ring.get_mut(owner) {
                    *ring = true;
                }
            }
            Err(HandedOver { frame, .. }) => {
                self.lose(&to.port.counters, DropReason::TransmitHandoverFull, frame);
            }
        }
    }

    #[cold]
    fn lose(&mut self, counters: &PortCounters, reason: DropReason, frame: Frame) {
        if let Some(counters) = counters.of(self.worker) {
            counters.dropped(reason);
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
    fn take(&mut self) -> Option<Frame> {
        self.copies += 1;
        self.pool.take()
    }

    fn now(&mut self) -> u64 {
        *self.now.get_or_insert_with(monotonic_ns)
    }

    #[inline]
    fn transmit(&mut self, frame: Frame, source: &Source, to: Egress<'_>, tables: &Tables) {
        let (queue, owner) = exit_queue(&to.link.queues, self.queue, self.worker);
        if owner == self.worker {
            self.stage(queue, to, frame);
        } else {
            let prepared = Prepared::new(source, to, tables);
            self.hand_over(owner, HandedOver { frame, queue, to: to.slot, prepared }, to);
        }
    }

    #[inline]
    fn release(&mut self, frame: Frame) {
        self.pool.put(frame);
    }
}

/// Which queue of a link, and so whose, a frame from queue `ingress` leaves by: the one of the same number, or the
/// next after it that is `me`'s own. It depends on nothing else, so the frames of one flow keep their order.
#[inline]
fn exit_queue(owners: &[WorkerId], ingress: QueueId, me: WorkerId) -> (QueueId, WorkerId) {
    // Nearly always, and without a division.
    if owners.get(usize::from(ingress.0)) == Some(&me) {
        return (ingress, me);
    }
    let Some(first) = usize::from(ingress.0).checked_rem(owners.len()) else { return (QueueId(0), me) };
    let queues = (first..owners.len()).chain(0..first);
    let own = queues.zip(owners.iter().cycle().skip(first)).find(|(_, owner)| **owner == me);
    let queue = own.map_or(first, |(queue, _)| queue);
    (QueueId(queue as u16), owners.get(queue).copied().unwrap_or(me))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_by_an_own_queue_where_there_is_one() {
        let exit = |owners: &[usize], ingress, me| exit_queue(owners, QueueId(ingress), me);
        assert_eq!(exit(&[0, 1, 0, 1], 2, 0), (QueueId(2), 0));
        assert_eq!(exit(&[0, 1, 0, 1], 3, 0), (QueueId(0), 0));
        assert_eq!(exit(&[0, 1], 5, 0), (QueueId(0), 0));
        assert_eq!(exit(&[1], 3, 0), (QueueId(0), 1));
        assert_eq!(exit(&[1, 2], 1, 0), (QueueId(1), 2));
        assert_eq!(exit(&[], 1, 0), (QueueId(0), 0));
    }
}
