//! The sockets that a worker owns, the active ones among them, and the order of their turns.

use std::collections::VecDeque;

use super::budget::Budget;
use super::idle::Idle;
use super::open_socket::OpenSocket;
use crate::datapath::Burst;
use crate::tables::LinkSlot;
use crate::types::QueueId;
use crate::xsk::{ChunkPool, XskSocket};

/// Each pass polls one in so many of all sockets for frames although they are not active, but at least
/// [`MIN_POLLS`].
const POLL_PART: usize = 16;
const MIN_POLLS: usize = 8;

/// A worker's sockets, found by link and queue.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: Vec<OpenSocket>,
    /// Place in `open` by link slot, then by queue.
    places: Vec<Vec<Option<usize>>>,
    /// Places of sockets with recent events. Only these are polled in every pass.
    active: Vec<usize>,
    /// Places of sockets with frames to transmit.
    sending: Vec<usize>,
    /// Place at which the next poll of inactive sockets begins.
    next_poll: usize,
}

impl Sockets {
    /// Adds a socket with room for `max_waiting` waiting frames.
    pub(super) fn insert(&mut self, link: LinkSlot, socket: XskSocket, max_waiting: usize) {
        self.open.push(OpenSocket::new(link, socket, VecDeque::with_capacity(max_waiting)));
        self.rebuild_indexes();
    }

    /// Removes the sockets of `link`. The chunks of staged frames return to the arena.
    pub(super) fn remove(&mut self, link: LinkSlot, idle: &Idle) -> Vec<XskSocket> {
        let removed = self.open.extract_if(.., |open| open.link == link);
        let removed = removed.map(|mut open| {
            idle.unwatch(&mut open);
            open.socket
        });
        let removed = removed.collect();
        self.rebuild_indexes();
        removed
    }

    pub(super) fn remove_all(&mut self) -> Vec<XskSocket> {
        let removed = self.open.drain(..).map(|open| open.socket).collect();
        self.rebuild_indexes();
        removed
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenSocket> {
        self.open.iter_mut()
    }

    /// Calls `visit` for each socket with recent events.
    pub(super) fn for_each_active(&mut self, mut visit: impl FnMut(&mut OpenSocket)) {
        for place in &self.active {
            if let Some(open) = self.open.get_mut(*place) {
                visit(open);
            }
        }
    }

    /// The socket on `queue` of `link`, if this worker owns it. The next [`flush`](Self::flush) includes it.
    #[inline]
    pub(super) fn get_to_send(&mut self, link: LinkSlot, queue: QueueId) -> Option<&mut OpenSocket> {
        let place = self.place(link, queue)?;
        self.activate(place);
        let open = self.open.get_mut(place)?;
        if !open.sending {
            open.sending = true;
            self.sending.push(place);
        }
        Some(open)
    }

    /// Activates the socket on `queue` of `link`, which has a frame.
    pub(super) fn wake(&mut self, link: LinkSlot, queue: QueueId) {
        if let Some(place) = self.place(link, queue) {
            self.activate(place);
        }
    }

    /// Receives from all active sockets. Returns the number of received chunks.
    #[inline]
    pub(super) fn receive(&mut self, pool: &mut ChunkPool, budget: &mut Budget) -> usize {
        self.poll_inactive();
        let mut received = 0;
        self.for_each_active(|open| received += open.receive(pool, budget));
        received
    }

    /// Activates the sockets with received frames among some that are not active.
    #[inline]
    fn poll_inactive(&mut self) {
        if self.active.len() == self.open.len() {
            return;
        }
        let polls = (self.open.len() / POLL_PART).max(MIN_POLLS).min(self.open.len());
        for _ in 0..polls {
            let place = self.next_poll;
            self.next_poll = if place + 1 < self.open.len() { place + 1 } else { 0 };
            if self.open.get_mut(place).is_some_and(|open| !open.active && open.socket.has_received()) {
                self.activate(place);
            }
        }
    }

    /// Moves the next burst of the active socket with index `turn` to `burst`, which may remain empty.
    /// Returns the link and queue of the socket; `None` after the last active one.
    #[inline]
    pub(super) fn pop_burst(
        &mut self,
        turn: usize,
        burst: &mut Burst,
        budget: &mut Budget,
    ) -> Option<(LinkSlot, QueueId)> {
        let open = self.open.get_mut(*self.active.get(turn)?)?;
        budget.remove_waiting(open.pop_burst(burst));
        Some((open.link, open.socket.queue()))
    }

    /// Ends the turn of the active socket with index `turn`, in which `frames` frames caused `copies` chunks
    /// of copies and segments.
    #[inline]
    pub(super) fn end_turn(&mut self, turn: usize, frames: usize, copies: usize) {
        if let Some(open) = self.active.get(turn).and_then(|place| self.open.get_mut(*place)) {
            open.size_next_burst(frames, copies);
        }
    }

    /// Transmits the staged frames of all sockets, and descriptors that earlier flushes left.
    #[inline]
    pub(super) fn flush(&mut self) {
        let open = &mut self.open;
        self.sending.retain(|place| {
            let Some(open) = open.get_mut(*place) else { return false };
            open.flush();
            open.sending = open.is_stuck();
            open.sending
        });
    }

    /// Deactivates the sockets without recent events.
    #[inline]
    pub(super) fn deactivate_quiet(&mut self, idle: &mut Idle) {
        let open = &mut self.open;
        self.active.retain(|place| {
            let Some(open) = open.get_mut(*place) else { return false };
            if open.record_pass() {
                return true;
            }
            open.active = false;
            idle.watch(open);
            false
        });
    }

    #[inline]
    fn activate(&mut self, place: usize) {
        if let Some(open) = self.open.get_mut(place) {
            open.quiet_passes = 0;
            if !open.active {
                open.active = true;
                self.active.push(place);
            }
        }
    }

    fn place(&self, link: LinkSlot, queue: QueueId) -> Option<usize> {
        *self.places.get(usize::from(link.0))?.get(usize::from(queue.0))?
    }

    /// Builds every index again after the insertion or removal of a socket. All sockets are active
    /// afterwards.
    fn rebuild_indexes(&mut self) {
        self.places.clear();
        self.active.clear();
        self.sending.clear();
        self.next_poll = 0;
        for (place, open) in self.open.iter_mut().enumerate() {
            (open.active, open.sending, open.quiet_passes) = (true, true, 0);
            self.active.push(place);
            self.sending.push(place);
            let (link, queue) = (usize::from(open.link.0), usize::from(open.socket.queue().0));
            if self.places.len() <= link {
                self.places.resize(link + 1, Vec::new());
            }
            if let Some(queues) = self.places.get_mut(link) {
                if queues.len() <= queue {
                    queues.resize(queue + 1, None);
                }
                if let Some(entry) = queues.get_mut(queue) {
                    *entry = Some(place);
                }
            }
        }
    }
}
