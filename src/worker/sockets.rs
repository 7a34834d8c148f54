//! The sockets a worker owns: which of them it looks at, and in which order frames are taken from them.

use std::collections::VecDeque;

use super::budget::Budget;
use super::idle::Idle;
use super::open_socket::OpenSocket;
use crate::datapath::Burst;
use crate::tables::LinkSlot;
use crate::types::QueueId;
use crate::xsk::{ChunkPool, XskSocket};

/// Of the sockets that nothing happens on, one in so many is looked at in each pass, and [`FEWEST_LOOKS`] at the least.
const LOOK_SHARE: usize = 16;
const FEWEST_LOOKS: usize = 8;

/// A worker's sockets, found by link and queue.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: Vec<OpenSocket>,
    /// By link slot, then by queue: the place in `open`.
    places: Vec<Vec<Option<usize>>>,
    /// Places of those that something happened on lately: only these cost something in every pass.
    active: Vec<usize>,
    /// Places of those with frames for the kernel to send.
    sending: Vec<usize>,
    /// Where the next look at the others begins.
    next_look: usize,
}

impl Sockets {
    /// Adds a socket, which may have as many frames waiting.
    pub(super) fn add(&mut self, link: LinkSlot, socket: XskSocket, most_waiting: usize) {
        self.open.push(OpenSocket::new(link, socket, VecDeque::with_capacity(most_waiting)));
        self.index();
    }

    /// Gives up the sockets of `link`. What was staged for them comes home by itself.
    pub(super) fn remove(&mut self, link: LinkSlot, idle: &Idle) -> Vec<XskSocket> {
        let removed = self.open.extract_if(.., |open| open.link == link);
        let removed = removed.map(|mut open| {
            idle.unwatch(&mut open);
            open.socket
        });
        let removed = removed.collect();
        self.index();
        removed
    }

    /// Gives up all of them.
    pub(super) fn remove_all(&mut self) -> Vec<XskSocket> {
        let removed = self.open.drain(..).map(|open| open.socket).collect();
        self.index();
        removed
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenSocket> {
        self.open.iter_mut()
    }

    /// Those that something happened on lately.
    pub(super) fn each_active(&mut self, mut work: impl FnMut(&mut OpenSocket)) {
        for place in &self.active {
            if let Some(open) = self.open.get_mut(*place) {
                work(open);
            }
        }
    }

    /// The one on `queue` of `link`, if this worker has it, to send by.
    #[inline]
    pub(super) fn exit(&mut self, link: LinkSlot, queue: QueueId) -> Option<&mut OpenSocket> {
        let place = self.place(link, queue)?;
        self.activate(place);
        let open = self.open.get_mut(place)?;
        if !open.sending {
            open.sending = true;
            self.sending.push(place);
        }
        Some(open)
    }

    /// Something happens on `queue` of `link`.
    pub(super) fn wake(&mut self, link: LinkSlot, queue: QueueId) {
        if let Some(place) = self.place(link, queue) {
            self.activate(place);
        }
    }

    /// Takes what has come in. Returns how many frames.
    #[inline]
    pub(super) fn receive(&mut self, pool: &mut ChunkPool, budget: &mut Budget) -> usize {
        self.look_around();
        let mut received = 0;
        self.each_active(|open| received += open.receive(pool, budget));
        received
    }

    /// Looks at some of the sockets that nothing happened on lately.
    #[inline]
    fn look_around(&mut self) {
        if self.active.len() == self.open.len() {
            return;
        }
        let looks = (self.open.len() / LOOK_SHARE).max(FEWEST_LOOKS).min(self.open.len());
        for _ in 0..looks {
            let place = self.next_look;
            self.next_look = if place + 1 < self.open.len() { place + 1 } else { 0 };
            if self.open.get_mut(place).is_some_and(|open| !open.active && open.socket.has_received()) {
                self.activate(place);
            }
        }
    }

    /// The next burst of the active socket whose turn it is, the first of which is 0, and where it came from. The burst
    /// may be empty. `None` when all had their turn.
    #[inline]
    pub(super) fn burst(
        &mut self,
        turn: usize,
        burst: &mut Burst,
        budget: &mut Budget,
    ) -> Option<(LinkSlot, QueueId)> {
        let open = self.open.get_mut(*self.active.get(turn)?)?;
        budget.go(open.next_burst(burst));
        Some((open.link, open.socket.queue()))
    }

    /// Ends the turn of the socket whose turn it was, in which `frames` frames caused `copies` chunks of copies and
    /// segments.
    #[inline]
    pub(super) fn end_turn(&mut self, turn: usize, frames: usize, copies: usize) {
        if let Some(open) = self.active.get(turn).and_then(|place| self.open.get_mut(*place)) {
            open.size_next_burst(frames, copies);
        }
    }

    /// Hands everything staged to the kernel, and asks it again for what it did not send the last time.
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

    /// Looks no longer, in every pass, at sockets that nothing has happened on for some time.
    #[inline]
    pub(super) fn retire(&mut self, idle: &mut Idle) {
        let open = &mut self.open;
        self.active.retain(|place| {
            let Some(open) = open.get_mut(*place) else { return false };
            if open.is_active_still() {
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

    /// Makes every list anew, after a socket came or went. All are looked at then.
    fn index(&mut self) {
        self.places.clear();
        self.active.clear();
        self.sending.clear();
        self.next_look = 0;
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
