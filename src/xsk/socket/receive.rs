//! The fill ring and the RX ring.

use std::collections::VecDeque;

use super::zero_copy::stash_target;
use super::{Memory, SocketMode, XskSocket, claim};
use crate::xsk::descriptor::XDP_PKT_CONTD;
use crate::xsk::frame::Frame;
use crate::xsk::place::Place;
use crate::xsk::pool::ChunkPool;
use crate::xsk::sizes::BURST_FRAMES;

impl XskSocket {
    /// Whether the RX ring holds a received frame.
    #[inline]
    pub fn has_received(&mut self) -> bool {
        self.rx.nb_avail(1) > 0
    }

    /// Number of chunks that the socket lacks to `target_chunks` for frames to be received.
    #[inline]
    #[must_use]
    pub const fn missing(&self, target_chunks: usize) -> usize {
        match &self.memory {
            Memory::Arena(_) => target_chunks.saturating_sub(self.receiving),
            Memory::Nic(nic) => stash_target(target_chunks).saturating_sub(nic.stash.len()),
        }
    }

    /// Moves received frames, of at most `max_chunks` chunks, to the back of `frames`; in zero-copy mode the
    /// last burst of long frames may exceed that. Returns the number of their chunks.
    #[inline]
    pub fn receive(&mut self, frames: &mut VecDeque<Frame>, max_chunks: usize) -> usize {
        if self.mode() == SocketMode::ZeroCopy {
            return self.receive_copies(frames, max_chunks);
        }
        let from = Place::receiving(self.id);
        let (mut taken, mut received) = (0, 0);
        while taken < max_chunks {
            let limit = BURST_FRAMES.min(max_chunks - taken);
            // SAFETY: each chunk in the ring was given to this socket's fill ring; `claim` rejects any other.
            let burst = unsafe { self.rx.consume(&mut self.scratch[..limit]) };
            for descriptor in &self.scratch[..burst] {
                let Some(chunk) = claim(self.arena, from, descriptor) else { continue };
                let is_continued = descriptor.options() & XDP_PKT_CONTD != 0;
                if is_continued || self.unfinished.is_some() {
                    let whole = join(&mut self.unfinished, chunk, is_continued);
                    received += whole.as_ref().map_or(0, Frame::chunk_count);
                    frames.extend(whole);
                } else {
                    received += 1;
                    frames.push_back(chunk);
                }
            }
            taken += burst;
            if burst < limit {
                break;
            }
        }
        self.receiving -= taken;
        received
    }

    /// Moves chunks of `pool` to the fill ring until the kernel has `target_chunks` to receive into. Returns
    /// the number still missing.
    #[inline]
    pub fn refill(&mut self, pool: &mut ChunkPool, target_chunks: usize) -> usize {
        if self.mode() == SocketMode::ZeroCopy {
            return self.refill_stash(pool, target_chunks);
        }
        let mut missing = target_chunks.saturating_sub(self.receiving);
        while missing > 0 {
            // The ring can look full for a moment although the kernel took chunks: the rest follows in a
            // later pass.
            let room = self.fill.nb_free(BURST_FRAMES as u32) as usize;
            let mut filled = 0;
            for descriptor in self.scratch.iter_mut().take(missing.min(room)) {
                let Some(frame) = pool.take() else { break };
                *descriptor = self.arena.layout().descriptor(frame.address(), 0);
                frame.surrender(Place::receiving(self.id));
                filled += 1;
            }
            if filled == 0 {
                break;
            }
            // SAFETY: each descriptor is of a chunk that was surrendered to this ring just before.
            let produced = unsafe { self.fill.produce(&self.scratch[..filled]) };
            debug_assert_eq!(produced, filled, "there was room for them");
            self.receiving += filled;
            missing -= filled;
        }
        missing
    }
}

/// Appends `chunk` to the unfinished frame. Returns the frame when the chunk is its last.
#[cold]
fn join(unfinished: &mut Option<Frame>, chunk: Frame, is_continued: bool) -> Option<Frame> {
    let frame = match unfinished.take() {
        Some(mut frame) => {
            frame.append(chunk);
            frame
        }
        None => chunk,
    };
    if is_continued {
        *unfinished = Some(frame);
        return None;
    }
    Some(frame)
}
