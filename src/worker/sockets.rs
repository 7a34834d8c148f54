//! The sockets a worker owns, and the frames staged for them.

use crate::tables::LinkSlot;
use crate::types::QueueId;
use crate::xsk::{BURST_FRAMES, Frame, FramePool, XskSocket};

/// A worker's sockets, found by link and queue.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: Vec<OpenSocket>,
    /// By link slot, then by queue: the place in `open`.
    places: Vec<Vec<Option<usize>>>,
}

/// A socket, and what is on its way into its TX ring.
#[derive(Debug)]
pub(super) struct OpenSocket {
    pub(super) link: LinkSlot,
    pub(super) socket: XskSocket,
    /// Ready for the wire. The TX ring has room for them.
    staged: Vec<Frame>,
    /// Frames that the TX ring has room for besides the staged ones, at the least.
    room: usize,
    /// Whether there is something new in the TX ring.
    submitted: bool,
    /// Whether the kernel left something there.
    pub(super) stuck: bool,
}

impl Sockets {
    /// Adds a socket.
    pub(super) fn add(&mut self, link: LinkSlot, socket: XskSocket) {
        let staged = Vec::with_capacity(BURST_FRAMES);
        self.open.push(OpenSocket { link, socket, staged, room: 0, submitted: false, stuck: false });
        self.index();
    }

    /// Gives up the sockets of `link`. What was staged for them comes home by itself.
    pub(super) fn remove(&mut self, link: LinkSlot) -> Vec<XskSocket> {
        let removed = self.open.extract_if(.., |open| open.link == link).map(|open| open.socket).collect();
        self.index();
        removed
    }

    /// Gives up all of them.
    pub(super) fn remove_all(&mut self) -> Vec<XskSocket> {
        self.places.clear();
        self.open.drain(..).map(|open| open.socket).collect()
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenSocket> {
        self.open.iter_mut()
    }

    /// The one at `place`, from 0 to the number of sockets.
    #[inline]
    pub(super) fn at(&mut self, place: usize) -> Option<&mut OpenSocket> {
        self.open.get_mut(place)
    }

    /// The one on `queue` of `link`, if this worker has it.
    #[inline]
    pub(super) fn find(&mut self, link: LinkSlot, queue: QueueId) -> Option<&mut OpenSocket> {
        let place = (*self.places.get(usize::from(link.0))?.get(usize::from(queue.0))?)?;
        self.open.get_mut(place)
    }

    fn index(&mut self) {
        self.places.clear();
        for (place, open) in self.open.iter().enumerate() {
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

impl OpenSocket {
    /// Stages `frame`, which is for `port`; gives it back when the TX ring is full and stays full.
    #[inline]
    pub(super) fn stage(&mut self, frame: Frame, pool: &mut FramePool) -> Result<(), Frame> {
        if self.room == 0 {
            self.make_room(pool);
            if self.room == 0 {
                return Err(frame);
            }
        }
        self.room -= 1;
        self.staged.push(frame);
        if self.staged.len() == BURST_FRAMES {
            self.submit();
        }
        Ok(())
    }

    /// Hands everything staged to the kernel and asks it to send, also what it left in the ring the last time.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.submit();
        if self.submitted || self.stuck {
            self.kick();
        }
    }

    /// Asks the kernel to send what is in the TX ring.
    pub(super) fn kick(&mut self) {
        self.submitted = false;
        self.stuck = self.socket.kick() > 0;
    }

    fn submit(&mut self) {
        if !self.staged.is_empty() {
            self.socket.transmit(&mut self.staged);
            debug_assert!(self.staged.is_empty(), "room was counted before staging");
            self.submitted = true;
        }
    }

    #[cold]
    fn make_room(&mut self, pool: &mut FramePool) {
        // What is staged has its room already: it goes into the ring before the rest is counted.
        self.submit();
        self.room = self.socket.tx_room();
        // Once a pass: a ring that stays full must not cost a system call for each frame that finds it so.
        if self.room == 0 && self.submitted {
            self.kick();
            self.socket.complete(pool);
            self.room = self.socket.tx_room();
        }
    }
}
