//! The chunks of a socket in zero-copy mode, which a NIC reads and writes by DMA.
//!
//! They are no chunks of the arena, for three reasons. The kernel takes the mode of all sockets that share a
//! UMEM from its first one (`xp_assign_dev_shared` in `net/xdp/xsk_buff_pool.c`), and links of ports have
//! copy mode only. Without `XDP_USE_SG`, which zero-copy drivers reject, a frame has one chunk, and that of
//! the arena is too short for tunnels. And the kernel stops a NIC some time after the socket was closed
//! (`xp_release_deferred`): until then the NIC may use the chunks, so they could not return to the arena.
//!
//! Frames are copied between these chunks and those of the arena. The kernel keeps the pages of this memory
//! pinned until the NIC has stopped (`xdp_put_umem` is the last step of `xp_release_deferred`), so it is
//! unmapped without waiting for that.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::ptr::NonNull;
use std::slice;

use xsk_rs::config::{FrameSize, UmemConfig};
use xsk_rs::{FrameDesc, Umem};

use super::frame::Frame;
use super::sizes::{
    CHUNK_BYTES, HEADROOM_BYTES, LONGEST_NIC_FRAME_BYTES, NIC_CHUNK_BYTES, NIC_RECEIVE_CHUNKS,
    NIC_TRANSMIT_RING_SIZE,
};
use super::umem::{base_of, ring_size, root_cause};

/// Chunks of the arena that the longest received frame takes.
pub(super) const CHUNKS_PER_FRAME: usize = LONGEST_NIC_FRAME_BYTES.div_ceil(CHUNK_BYTES - HEADROOM_BYTES);

const CHUNK_COUNT: usize = NIC_RECEIVE_CHUNKS + NIC_TRANSMIT_RING_SIZE;

/// The memory of one socket: first the chunks to receive into, then those to transmit from.
pub(super) struct NicMemory {
    umem: Umem,
    base: NonNull<u8>,
    /// Indexes of the chunks to transmit from that are in no ring.
    free: Vec<u32>,
    /// Chunks of the arena for received frames.
    pub(super) stash: Vec<Frame>,
    /// Frames that were copied for transmission, for the pool.
    pub(super) copied: Vec<Frame>,
    /// Frames that were too long for a chunk, and were dropped.
    pub(super) too_long: u64,
}

// SAFETY: `base` points to memory that only this value reaches, and that is mapped as long as `umem` lives.
unsafe impl Send for NicMemory {}

impl NicMemory {
    /// Registers the memory with the kernel.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn register() -> io::Result<Self> {
        let other = |error: &dyn fmt::Display| io::Error::other(error.to_string());
        let config = UmemConfig::builder()
            .frame_size(FrameSize::try_from(NIC_CHUNK_BYTES as u32).map_err(|error| other(&error))?)
            .fill_queue_size(ring_size(NIC_RECEIVE_CHUNKS)?)
            .comp_queue_size(ring_size(NIC_TRANSMIT_RING_SIZE)?)
            .build()
            .map_err(|error| other(&error))?;
        let count = const { NonZeroU32::new(CHUNK_COUNT as u32) }.ok_or(io::ErrorKind::InvalidInput)?;
        let (umem, descriptors) = Umem::new(config, count, false).map_err(|error| root_cause(&error))?;
        let base = base_of(&umem, &descriptors).ok_or_else(|| other(&"the memory has no address"))?;
        let free = (NIC_RECEIVE_CHUNKS..CHUNK_COUNT).rev().map(|index| index as u32).collect();
        let copied = Vec::with_capacity(NIC_TRANSMIT_RING_SIZE);
        Ok(Self { umem, base, free, stash: Vec::new(), copied, too_long: 0 })
    }

    pub(super) const fn umem(&self) -> &Umem {
        &self.umem
    }

    /// Offset in the memory of each chunk to receive into.
    pub(super) fn receive_addresses() -> impl Iterator<Item = usize> {
        (0..NIC_RECEIVE_CHUNKS).map(|index| index * NIC_CHUNK_BYTES)
    }

    /// Number of chunks to transmit from that are in no ring.
    pub(super) const fn free_count(&self) -> usize {
        self.free.len()
    }

    /// Copies the frame of a descriptor that the kernel put into the RX ring. `None` when the descriptor
    /// names no chunk to receive into, or the stash is empty.
    pub(super) fn copy_in(&mut self, descriptor: &FrameDesc) -> Option<Frame> {
        let (address, len) = (descriptor.addr(), descriptor.lengths().data());
        let is_within = address / NIC_CHUNK_BYTES < NIC_RECEIVE_CHUNKS
            && address % NIC_CHUNK_BYTES + len <= NIC_CHUNK_BYTES;
        debug_assert!(is_within, "the kernel named {len} bytes at {address:#x}");
        if !is_within {
            return None;
        }
        // SAFETY: the chunk lies in the memory, which has CHUNK_COUNT chunks.
        let start = unsafe { self.base.add(address) };
        // SAFETY: the bytes lie in the chunk. The kernel gave it back by the RX ring, and neither it nor the
        // NIC writes to it before the caller, who holds `self` meanwhile, puts it into the fill ring.
        let bytes = unsafe { slice::from_raw_parts(start.as_ptr(), len) };
        let mut frame = self.stash.pop()?;
        frame.clear();
        frame.extend([bytes], || self.stash.pop()).then_some(frame)
    }

    /// Copies `frame` into a chunk to transmit from. Returns offset and length; `None` when no chunk is free,
    /// or the frame is too long for one.
    pub(super) fn copy_out(&mut self, frame: &Frame) -> Option<(usize, usize)> {
        let len = frame.len();
        if len > NIC_CHUNK_BYTES {
            return None;
        }
        let address = self.free.pop()? as usize * NIC_CHUNK_BYTES;
        // SAFETY: `free` has indexes below CHUNK_COUNT only, so the chunk lies in the memory.
        let start = unsafe { self.base.add(address) };
        // SAFETY: the bytes lie in the chunk. It was in `free`, so it is in no ring, and neither the kernel
        // nor the NIC uses it.
        let mut to = unsafe { slice::from_raw_parts_mut(start.as_ptr(), len) };
        for bytes in frame.chunks() {
            let Some((part, rest)) = to.split_at_mut_checked(bytes.len()) else { break };
            part.copy_from_slice(bytes);
            to = rest;
        }
        Some((address, len))
    }

    /// Puts a chunk back that the kernel has transmitted.
    pub(super) fn put_transmitted(&mut self, descriptor: &FrameDesc) {
        let index = descriptor.addr() / NIC_CHUNK_BYTES;
        let is_to_transmit = (NIC_RECEIVE_CHUNKS..CHUNK_COUNT).contains(&index);
        debug_assert!(is_to_transmit, "the kernel named chunk {index}");
        if is_to_transmit && self.free.len() < NIC_TRANSMIT_RING_SIZE {
            self.free.push(index as u32);
        }
    }
}

impl fmt::Debug for NicMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NicMemory")
            .field("free", &self.free.len())
            .field("stash", &self.stash.len())
            .finish_non_exhaustive()
    }
}
