//! The TX ring and the completion ring.

use super::{Memory, SocketMode, XskSocket, claim};
use crate::xsk::frame::Frame;
use crate::xsk::place::Place;
use crate::xsk::pool::ChunkPool;
use crate::xsk::sizes::{BURST_FRAMES, NIC_TRANSMIT_RING_SIZE, TRANSMIT_RING_SIZE};

impl XskSocket {
    /// Number of chunks in the TX and completion rings.
    #[inline]
    #[must_use]
    pub const fn transmitting(&self) -> usize {
        self.transmitting
    }

    /// Moves frames from the front of `frames` to the TX ring, as far as there is room; the rest stays.
    /// Nothing is sent before [`kick`](Self::kick). Returns the number of frames moved.
    #[inline]
    pub fn transmit(&mut self, frames: &mut Vec<Frame>) -> usize {
        if self.mode() == SocketMode::ZeroCopy {
            return self.transmit_copies(frames);
        }
        let mut sent = 0;
        loop {
            let room = self.tx.nb_free(BURST_FRAMES as u32) as usize;
            let room = room.min(BURST_FRAMES);
            let mut described = 0;
            for frame in &frames[sent..] {
                let Some(free) = self.scratch.get_mut(described..room) else { break };
                let Some(chunks) = frame.describe(self.arena.layout(), free) else { break };
                described += chunks;
                sent += 1;
            }
            if described == 0 {
                break;
            }
            // SAFETY: each descriptor is of a chunk that a frame in `frames` owns; they are surrendered to
            // this ring below.
            let produced = unsafe { self.tx.produce(&self.scratch[..described]) };
            debug_assert_eq!(produced, described, "there was room for them");
            self.transmitting += described;
        }
        for frame in frames.drain(..sent) {
            frame.surrender(Place::transmitting(self.id));
        }
        sent
    }

    /// Makes the kernel transmit the TX ring. Returns the number of chunks left there, which wait for another
    /// kick: the link is down, for example, or its receiver is slow.
    #[inline]
    pub fn kick(&mut self) -> usize {
        let mut queued = self.tx_queued();
        while queued > 0 {
            // After an error the link no longer exists: netlink reports that to the control thread, which
            // closes this socket.
            let result = self.tx.wakeup();
            // One call may transmit only a part of the ring: 32 frames in older kernels.
            let left = self.tx_queued();
            if result.is_err() || left == queued {
                return left;
            }
            queued = left;
        }
        0
    }

    /// Number of chunks that the TX ring has room for.
    #[inline]
    pub fn tx_room(&mut self) -> usize {
        let room = self.tx.nb_free_exact() as usize;
        match &self.memory {
            Memory::Arena(_) => room,
            Memory::Nic(nic) => room.min(nic.free_count()),
        }
    }

    /// Number of chunks in the TX ring that the kernel has not taken.
    #[inline]
    pub(super) fn tx_queued(&mut self) -> usize {
        let size = match self.memory {
            Memory::Arena(_) => TRANSMIT_RING_SIZE,
            Memory::Nic(_) => NIC_TRANSMIT_RING_SIZE,
        };
        size - self.tx.nb_free_exact() as usize
    }

    /// Moves the chunks of transmitted frames to `pool`. Returns their number.
    #[inline]
    pub fn complete(&mut self, pool: &mut ChunkPool) -> usize {
        if self.mode() == SocketMode::ZeroCopy {
            return self.complete_copies(pool);
        }
        let mut taken = 0;
        while self.transmitting > 0 {
            // SAFETY: each chunk in the ring was given to this socket's TX ring; `claim` rejects any other.
            let completed = unsafe { self.completion.consume(&mut self.scratch[..]) };
            self.transmitting -= completed;
            for descriptor in self.scratch.iter().take(completed) {
                if let Some(frame) = claim(self.arena, Place::transmitting(self.id), descriptor) {
                    pool.put(frame);
                }
            }
            taken += completed;
            if completed < BURST_FRAMES {
                break;
            }
        }
        taken
    }
}
