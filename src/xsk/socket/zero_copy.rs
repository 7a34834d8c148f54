//! The rings of a socket in zero-copy mode. Their chunks are those of a [`NicMemory`]; frames are copied.

use std::collections::VecDeque;

use super::{Memory, XskSocket};
use crate::xsk::frame::Frame;
use crate::xsk::nic_memory::{CHUNKS_PER_FRAME, NicMemory};
use crate::xsk::pool::ChunkPool;
use crate::xsk::sizes::{BURST_FRAMES, NIC_CHUNK_BYTES};

/// Most chunks of the arena that a socket holds for received frames: three bursts of long ones, or many more
/// of short ones.
const STASH_CHUNKS: usize = 3 * BURST_FRAMES * CHUNKS_PER_FRAME;

impl XskSocket {
    /// Gives all chunks to receive into to the kernel: the NIC needs them for the host's frames as well.
    pub(super) fn fill_first(&mut self) {
        let mut addresses = NicMemory::receive_addresses().peekable();
        while addresses.peek().is_some() {
            let mut filled = 0;
            for (descriptor, address) in self.scratch.iter_mut().zip(addresses.by_ref()) {
                *descriptor = self.arena.layout().descriptor(address, 0);
                filled += 1;
            }
            // SAFETY: each descriptor is of a chunk to receive into, which is in no ring yet.
            let produced = unsafe { self.fill.produce(&self.scratch[..filled]) };
            debug_assert_eq!(produced, filled, "the ring has the size of all of them");
        }
        self.wake_receiver();
    }

    /// [`receive`](Self::receive) in zero-copy mode.
    pub(super) fn receive_copies(&mut self, frames: &mut VecDeque<Frame>, max_chunks: usize) -> usize {
        let Memory::Nic(nic) = &mut self.memory else { return 0 };
        let mut chunks = 0;
        while chunks < max_chunks {
            let limit = BURST_FRAMES.min(max_chunks - chunks).min(nic.stash.len() / CHUNKS_PER_FRAME);
            if limit == 0 {
                break;
            }
            // SAFETY: each chunk in the ring was given to this socket's fill ring; `copy_in` rejects others.
            let burst = unsafe { self.rx.consume(&mut self.scratch[..limit]) };
            for descriptor in &mut self.scratch[..burst] {
                if let Some(frame) = nic.copy_in(descriptor) {
                    chunks += frame.chunk_count();
                    frames.push_back(frame);
                }
                let start = descriptor.addr() / NIC_CHUNK_BYTES * NIC_CHUNK_BYTES;
                *descriptor = self.arena.layout().descriptor(start, 0);
            }
            // SAFETY: the kernel gave each of these chunks back by the RX ring, and its bytes were copied.
            let produced = unsafe { self.fill.produce(&self.scratch[..burst]) };
            debug_assert_eq!(produced, burst, "the ring has the size of all of them");
            if burst < limit {
                break;
            }
        }
        chunks
    }

    /// [`refill`](Self::refill) in zero-copy mode: takes chunks for the next received frames.
    pub(super) fn refill_stash(&mut self, pool: &mut ChunkPool, target_chunks: usize) -> usize {
        if self.fill.needs_wakeup() {
            self.wake_receiver();
        }
        let Memory::Nic(nic) = &mut self.memory else { return 0 };
        let target = stash_target(target_chunks);
        while nic.stash.len() < target {
            let Some(chunk) = pool.take() else { break };
            nic.stash.push(chunk);
        }
        target.saturating_sub(nic.stash.len())
    }

    /// [`transmit`](Self::transmit) in zero-copy mode. A frame that is too long for a chunk is dropped.
    pub(super) fn transmit_copies(&mut self, frames: &mut Vec<Frame>) -> usize {
        let Memory::Nic(nic) = &mut self.memory else { return 0 };
        let mut sent = 0;
        loop {
            let room = (self.tx.nb_free(BURST_FRAMES as u32) as usize).min(nic.free_count());
            let mut described = 0;
            for (frame, _) in frames[sent..].iter().zip(0..room.min(BURST_FRAMES)) {
                sent += 1;
                match nic.copy_out(frame) {
                    Some((address, len)) => {
                        self.scratch[described] = self.arena.layout().descriptor(address, len);
                        described += 1;
                    }
                    None => nic.too_long += 1,
                }
            }
            if described == 0 {
                break;
            }
            // SAFETY: each descriptor is of a chunk to transmit from, which was in no ring.
            let produced = unsafe { self.tx.produce(&self.scratch[..described]) };
            debug_assert_eq!(produced, described, "there was room for them");
            self.transmitting += described;
        }
        nic.copied.extend(frames.drain(..sent));
        sent
    }

    /// [`complete`](Self::complete) in zero-copy mode.
    pub(super) fn complete_copies(&mut self, pool: &mut ChunkPool) -> usize {
        let Memory::Nic(nic) = &mut self.memory else { return 0 };
        nic.copied.drain(..).for_each(|frame| pool.put(frame));
        let mut taken = 0;
        while self.transmitting > 0 {
            // SAFETY: each chunk in the ring was given to this socket's TX ring; others are rejected.
            let completed = unsafe { self.completion.consume(&mut self.scratch[..]) };
            self.transmitting -= completed;
            self.scratch.iter().take(completed).for_each(|descriptor| nic.put_transmitted(descriptor));
            taken += completed;
            if completed < BURST_FRAMES {
                break;
            }
        }
        taken
    }

    /// Makes the driver take chunks from the fill ring, which it has found empty before.
    #[cold]
    fn wake_receiver(&mut self) {
        // An error means that the link is down or away, which `is_bound` and netlink report.
        self.rx.poll(0).unwrap_or_default();
    }
}

/// Chunks in the stash of a socket that may have `target_chunks` in its rings.
pub(super) const fn stash_target(target_chunks: usize) -> usize {
    if target_chunks < CHUNKS_PER_FRAME {
        CHUNKS_PER_FRAME
    } else if target_chunks > STASH_CHUNKS {
        STASH_CHUNKS
    } else {
        target_chunks
    }
}
