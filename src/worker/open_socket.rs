//! One socket of a worker, its received frames that wait, and its frames for the TX ring.

use std::collections::VecDeque;

use super::budget::Budget;
use crate::datapath::Burst;
use crate::tables::LinkSlot;
use crate::xsk::{BURST_FRAMES, ChunkPool, Frame, XskSocket};

/// Chunks after which a burst ends early.
const BURST_CHUNKS: usize = 2 * BURST_FRAMES;

/// Target for the chunks of copies and segments that a turn causes. A turn that has caused more shortens the
/// next turns of its socket, so that its own frames wait longer and those of other sockets do not.
pub(super) const TURN_COPIES: usize = 8 * BURST_FRAMES;

/// Passes for which a socket counts as under load after it has received a full burst.
const LOADED_PASSES: u16 = 256;

/// Passes without an event after which a socket is no longer active.
const QUIET_PASSES: u16 = 64;

/// Frames after which a queue that has never been empty is a standing queue: it absorbs no burst, but delays
/// frames and spreads them over more memory than the caches hold. It is limited to [`STANDING_FRAMES`] until
/// it has been empty.
const FRAMES_TO_STAND: usize = 1 << 20;
const STANDING_FRAMES: usize = 2 * BURST_FRAMES;

/// A socket, and the frames between its rings and the datapath.
#[derive(Debug)]
pub(super) struct OpenSocket {
    pub(super) link: LinkSlot,
    pub(super) socket: XskSocket,
    /// Received frames that wait for the datapath.
    waiting: VecDeque<Frame>,
    /// Upper bound of its next burst: less than [`BURST_FRAMES`] after turns with more than [`TURN_COPIES`].
    burst_frames: usize,
    /// Frames that have left `waiting` since it was last empty.
    since_empty: usize,
    /// Remaining passes for which it counts as under load.
    loaded_passes: u16,
    /// Chunks that the fill ring lacks to the share of an idle socket.
    pub(super) missing: usize,
    /// Frames for the TX ring, which has room for all of them.
    staged: Vec<Frame>,
    /// Lower bound of the room in the TX ring besides the staged frames, in chunks.
    room: usize,
    tx_ring: TxRing,

    /// Whether it is polled in every pass.
    pub(super) active: bool,
    /// Passes since its last event.
    pub(super) quiet_passes: u16,
    /// Whether the next flush includes it.
    pub(super) sending: bool,
    /// Whether it is in the epoll set.
    pub(super) watched: bool,
}

/// State of a TX ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TxRing {
    Empty,
    /// It has descriptors that were added since the last kick.
    New,
    /// All its descriptors were left there by the kernel at the last kick.
    Stuck,
}

impl OpenSocket {
    pub(super) fn new(link: LinkSlot, socket: XskSocket, waiting: VecDeque<Frame>) -> Self {
        Self {
            link,
            socket,
            waiting,
            burst_frames: BURST_FRAMES,
            since_empty: 0,
            loaded_passes: 0,
            missing: 0,
            staged: Vec::with_capacity(BURST_FRAMES),
            room: 0,
            tx_ring: TxRing::Empty,
            active: false,
            quiet_passes: 0,
            sending: false,
            watched: false,
        }
    }

    /// Takes transmitted chunks from the completion ring and received ones from the RX ring, and refills the
    /// fill ring. Returns the number of received chunks.
    #[inline]
    pub(super) fn receive(&mut self, pool: &mut ChunkPool, budget: &mut Budget) -> usize {
        let standing = self.since_empty > FRAMES_TO_STAND;
        let Self { socket, waiting, .. } = self;
        let completed = socket.complete(pool);
        // The capacity is for `Shares::max_waiting` at the time of its opening; growing would allocate.
        let room = budget.room(waiting.len()).min(waiting.capacity() - waiting.len());
        let room = if standing { room.min(STANDING_FRAMES.saturating_sub(waiting.len())) } else { room };
        let received = socket.receive(waiting, room);
        budget.add_waiting(received);
        self.loaded_passes =
            if received < BURST_FRAMES { self.loaded_passes.saturating_sub(1) } else { LOADED_PASSES };
        let under_load = self.loaded_passes > 0 && !standing;
        socket.refill(pool, budget.allowance(under_load, pool.arena().free_chunk_count()));
        self.missing = socket.missing(budget.shares().idle);
        if received + completed > 0 {
            self.quiet_passes = 0;
        }
        received
    }

    /// Moves waiting frames to the end of `burst`. Returns the number of their chunks. A burst of long
    /// frames, each of which may cause many segments, ends early, so that its turn takes no longer than
    /// others.
    #[inline]
    pub(super) fn pop_burst(&mut self, burst: &mut Burst) -> usize {
        let (mut frames, mut chunks) = (0, 0);
        for frame in self.waiting.iter().take(self.burst_frames) {
            frames += 1;
            chunks += frame.chunk_count();
            if chunks >= BURST_CHUNKS {
                break;
            }
        }
        burst.extend(self.waiting.drain(..frames));
        self.since_empty += frames;
        if self.waiting.is_empty() {
            self.since_empty = 0;
            // Resets the head of the ring buffer, so that the queue does not cycle through all of its memory.
            self.waiting.clear();
        }
        chunks
    }

    /// Adapts the size of the next burst to a turn in which `frames` frames caused `copies` chunks of copies
    /// and segments: down to the number of frames that would have caused [`TURN_COPIES`], and up by one frame
    /// for each other turn.
    #[inline]
    pub(super) fn size_next_burst(&mut self, frames: usize, copies: usize) {
        if copies > TURN_COPIES {
            self.burst_frames = (frames * TURN_COPIES / copies).max(1);
        } else if frames > 0 && self.burst_frames < BURST_FRAMES {
            self.burst_frames += 1;
        }
    }

    /// Records a pass. Returns whether the socket remains active.
    #[inline]
    pub(super) fn record_pass(&mut self) -> bool {
        self.quiet_passes += 1;
        if self.quiet_passes < QUIET_PASSES {
            return true;
        }
        self.quiet_passes = 0;
        !self.waiting.is_empty() || self.missing > 0 || self.socket.transmitting() > 0
    }

    /// Stages `frame` for the TX ring. Returns it as the error when the ring is full and a kick does not free
    /// it.
    #[inline]
    pub(super) fn stage(&mut self, frame: Frame, pool: &mut ChunkPool) -> Result<(), Frame> {
        let chunks = frame.chunk_count();
        if self.room < chunks {
            self.make_room(chunks, pool);
            if self.room < chunks {
                return Err(frame);
            }
        }
        self.room -= chunks;
        self.staged.push(frame);
        if self.staged.len() == BURST_FRAMES {
            self.submit();
        }
        Ok(())
    }

    /// Moves the staged frames to the TX ring and makes the kernel transmit it, with descriptors of earlier
    /// kicks.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.submit();
        if self.tx_ring != TxRing::Empty {
            self.kick();
        }
    }

    /// Makes the kernel transmit the TX ring.
    pub(super) fn kick(&mut self) {
        self.tx_ring = if self.socket.kick() > 0 { TxRing::Stuck } else { TxRing::Empty };
    }

    /// Whether the last kick left descriptors in the TX ring.
    pub(super) fn is_stuck(&self) -> bool {
        self.tx_ring == TxRing::Stuck
    }

    fn submit(&mut self) {
        if !self.staged.is_empty() {
            self.socket.transmit(&mut self.staged);
            debug_assert!(self.staged.is_empty(), "room was counted before staging");
            self.tx_ring = TxRing::New;
        }
    }

    #[cold]
    fn make_room(&mut self, chunks: usize, pool: &mut ChunkPool) {
        // The staged frames occupy their room only after `submit`.
        self.submit();
        self.room = self.socket.tx_room();
        // Once a pass: a ring that stays full must not cost a system call per frame.
        if self.room < chunks && self.tx_ring == TxRing::New {
            self.kick();
            self.socket.complete(pool);
            self.room = self.socket.tx_room();
        }
    }
}
