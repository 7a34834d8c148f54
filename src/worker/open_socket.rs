//! One socket of a worker: the frames on their way from it, and into its TX ring.

use std::collections::VecDeque;

use super::budget::Budget;
use crate::datapath::Burst;
use crate::tables::LinkSlot;
use crate::xsk::{BURST_FRAMES, ChunkPool, Frame, XskSocket};

/// Chunks after which a burst ends.
const BURST_CHUNKS: usize = 2 * BURST_FRAMES;

/// Chunks of copies and segments that a turn should cause at most. A turn that has caused more makes the next ones of
/// its socket shorter: frames that leave in many wait longer, and nobody else's do.
pub(super) const TURN_COPIES: usize = 8 * BURST_FRAMES;

/// Passes for which a socket counts as under load after a full burst came in by it.
const LOADED_PASSES: u16 = 256;

/// Passes after which a socket that nothing happens on is no longer active.
const QUIET_PASSES: u16 = 64;

/// Frames after which a queue that never ran empty is a standing one, which takes up no burst: it only makes frames late,
/// and spreads them over more memory than the caches hold. It is kept at [`STANDING_FRAMES`] until it has run empty.
const FRAMES_TO_STAND: usize = 1 << 20;
const STANDING_FRAMES: usize = 2 * BURST_FRAMES;

/// A socket, and the frames between its rings and the datapath.
#[derive(Debug)]
pub(super) struct OpenSocket {
    pub(super) link: LinkSlot,
    pub(super) socket: XskSocket,
    /// Received, and not yet looked at.
    waiting: VecDeque<Frame>,
    /// Frames of its next burst at most: less than [`BURST_FRAMES`] after turns with more than [`TURN_COPIES`].
    burst_frames: usize,
    /// Frames that went on from there since it was last empty.
    since_empty: usize,
    /// Passes for which it still counts as under load.
    loaded_passes: u16,
    /// Chunks that were missing to have its share with the kernel.
    pub(super) missing: usize,
    /// Ready for the wire. The TX ring has room for them.
    staged: Vec<Frame>,
    /// Chunks that the TX ring has room for besides the staged ones, at the least.
    room: usize,
    in_tx_ring: InTxRing,

    /// Whether it is looked at in every pass.
    pub(super) active: bool,
    /// Passes since something happened on it.
    pub(super) quiet_passes: u16,
    /// Whether it is among those to flush.
    pub(super) sending: bool,
    /// Whether a frame on it ends a sleep.
    pub(super) watched: bool,
}

/// What is in a TX ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InTxRing {
    Nothing,
    /// Something that the kernel has not been told of.
    New,
    /// Nothing but what the kernel left there.
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
            in_tx_ring: InTxRing::Nothing,
            active: false,
            quiet_passes: 0,
            sending: false,
            watched: false,
        }
    }

    /// Takes what was sent and what has come in, and gives the kernel new chunks to receive into. Returns how many
    /// chunks came in.
    #[inline]
    pub(super) fn receive(&mut self, pool: &mut ChunkPool, budget: &mut Budget) -> usize {
        let standing = self.since_empty > FRAMES_TO_STAND;
        let Self { socket, waiting, .. } = self;
        let completed = socket.complete(pool);
        // Its place in memory is for what could wait when it was opened.
        let room = budget.room(waiting.len()).min(waiting.capacity() - waiting.len());
        let room = if standing { room.min(STANDING_FRAMES.saturating_sub(waiting.len())) } else { room };
        let received = socket.receive(waiting, room);
        budget.wait(received);
        self.loaded_passes =
            if received < BURST_FRAMES { self.loaded_passes.saturating_sub(1) } else { LOADED_PASSES };
        let under_load = self.loaded_passes > 0 && !standing;
        socket.refill(pool, budget.allowance(under_load, pool.arena().free_chunk_count()));
        self.missing = budget.shares().idle.saturating_sub(socket.receiving());
        if received + completed > 0 {
            self.quiet_passes = 0;
        }
        received
    }

    /// Moves the next burst that waits behind `burst`. Returns how many chunks its frames have: it ends early behind a
    /// long frame, so that a turn of long frames, each of which may leave in many, is no longer than others.
    #[inline]
    pub(super) fn next_burst(&mut self, burst: &mut Burst) -> usize {
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
            // It begins at the beginning again, and does not wander through all of its memory.
            self.waiting.clear();
        }
        chunks
    }

    /// Sizes the next burst after a turn in which `frames` frames caused `copies` chunks of copies and segments: down to
    /// what would have caused [`TURN_COPIES`], and up again by a frame for each turn with frames.
    #[inline]
    pub(super) fn size_next_burst(&mut self, frames: usize, copies: usize) {
        if copies > TURN_COPIES {
            self.burst_frames = (frames * TURN_COPIES / copies).max(1);
        } else if frames > 0 && self.burst_frames < BURST_FRAMES {
            self.burst_frames += 1;
        }
    }

    /// Ages it by a pass. Whether it is still to be looked at in every one.
    #[inline]
    pub(super) fn is_active_still(&mut self) -> bool {
        self.quiet_passes += 1;
        if self.quiet_passes < QUIET_PASSES {
            return true;
        }
        self.quiet_passes = 0;
        !self.waiting.is_empty() || self.missing > 0 || self.socket.transmitting() > 0
    }

    /// Stages `frame`, which is for `port`; gives it back when the TX ring is full and stays full.
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

    /// Hands everything staged to the kernel and asks it to send, also what it left in the ring the last time.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.submit();
        if self.in_tx_ring != InTxRing::Nothing {
            self.kick();
        }
    }

    /// Asks the kernel to send what is in the TX ring.
    pub(super) fn kick(&mut self) {
        self.in_tx_ring = if self.socket.kick() > 0 { InTxRing::Stuck } else { InTxRing::Nothing };
    }

    /// Whether the kernel left something in the TX ring.
    pub(super) fn is_stuck(&self) -> bool {
        self.in_tx_ring == InTxRing::Stuck
    }

    fn submit(&mut self) {
        if !self.staged.is_empty() {
            self.socket.transmit(&mut self.staged);
            debug_assert!(self.staged.is_empty(), "room was counted before staging");
            self.in_tx_ring = InTxRing::New;
        }
    }

    #[cold]
    fn make_room(&mut self, chunks: usize, pool: &mut ChunkPool) {
        // What is staged has its room already: it goes into the ring before the rest is counted.
        self.submit();
        self.room = self.socket.tx_room();
        // Once a pass: a ring that stays full must not cost a system call for each frame that finds it so.
        if self.room < chunks && self.in_tx_ring == InTxRing::New {
            self.kick();
            self.socket.complete(pool);
            self.room = self.socket.tx_room();
        }
    }
}
