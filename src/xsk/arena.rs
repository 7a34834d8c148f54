//! The memory of all chunks, and the place of each.

use std::num::NonZeroU32;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use xsk_rs::Umem;

use super::copy_mode::CopyMode;
use super::descriptor::DescriptorLayout;
use super::error::ArenaError;
use super::place::{ArenaCensus, Place};
use super::sizes::CHUNK_BYTES;
use super::span::Span;
use super::umem::SharedUmem;

/// The memory of all chunks: one UMEM, registered once, shared by every socket.
///
/// It lives as long as the process. A [`Frame`](super::Frame) can therefore point to it without a reference
/// count, and memory that the kernel still uses is never freed.
#[derive(Debug)]
pub struct Arena {
    base: NonNull<u8>,
    /// By chunk index. Only the holder of a chunk writes its entry, and handing a chunk over synchronizes, so
    /// relaxed order is enough.
    places: Box<[AtomicU16]>,
    /// By chunk index: the next span of the frame that has this chunk. Written by the holder, in relaxed
    /// order for the same reason. Undefined for the last chunk of a frame.
    rests: Box<[AtomicU64]>,
    /// Indexes of the chunks in no worker's pool. The queue has room for every chunk, so a push cannot fail.
    free: ArrayQueue<u32>,
    umem: Option<SharedUmem>,
    layout: DescriptorLayout,
}

// SAFETY: `base` points to memory that is never freed, and a byte of it is reached only through the one
// `Frame` that owns its chunk; every other field is shared by design (`Umem` has a lock of its own).
unsafe impl Send for Arena {}
// SAFETY: as for `Send`.
unsafe impl Sync for Arena {}

impl Arena {
    /// Registers a UMEM of `chunk_count` chunks with the kernel.
    ///
    /// # Errors
    /// [`ArenaError`]; the kernel rejects it without `CAP_NET_RAW`, or over the limit of locked memory
    /// without `CAP_IPC_LOCK`.
    pub fn umem(chunk_count: usize) -> Result<&'static Self, ArenaError> {
        let (umem, base) = SharedUmem::register(checked(chunk_count)?)?;
        Self::build(base, chunk_count, Some(umem))
    }

    /// Allocates the chunks in ordinary memory, for tests and benches: everything but sockets works with
    /// them.
    ///
    /// # Errors
    /// [`ArenaError::ChunkCount`].
    pub fn heap(chunk_count: usize) -> Result<&'static Self, ArenaError> {
        checked(chunk_count)?;
        let memory = Box::leak(vec![0_u8; chunk_count * CHUNK_BYTES].into_boxed_slice());
        Self::build(NonNull::from(memory).cast(), chunk_count, None)
    }

    fn build(
        base: NonNull<u8>,
        chunk_count: usize,
        umem: Option<SharedUmem>,
    ) -> Result<&'static Self, ArenaError> {
        let free = ArrayQueue::new(chunk_count);
        for index in 0..chunk_count {
            let index = u32::try_from(index).map_err(|_| ArenaError::ChunkCount(chunk_count))?;
            free.push(index).map_err(|_| ArenaError::ChunkCount(chunk_count))?;
        }
        let places = (0..chunk_count).map(|_| AtomicU16::new(Place::FREE.0)).collect();
        let rests = (0..chunk_count).map(|_| AtomicU64::new(0)).collect();
        let layout = DescriptorLayout::probe().ok_or(ArenaError::DescriptorLayout)?;
        Ok(Box::leak(Box::new(Self { base, places, rests, free, umem, layout })))
    }

    /// Number of chunks in all places. Constant.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.places.len()
    }

    /// Number of chunks in the arena's queue: in no pool, no ring and no worker's hands.
    #[must_use]
    pub fn free_chunk_count(&self) -> usize {
        self.free.len()
    }

    /// Counts the chunks in each place. While frames move, the result spans some microseconds, but counts
    /// each chunk exactly once.
    #[must_use]
    pub fn census(&self) -> ArenaCensus {
        let mut census = ArenaCensus::default();
        for place in &self.places {
            census.add(Place(place.load(Ordering::Relaxed)));
        }
        census
    }

    /// Takes the index of a free chunk off the queue. Its place is still [`Place::FREE`].
    pub(super) fn pop_free(&self) -> Option<u32> {
        self.free.pop()
    }

    /// Moves chunk `index` from `from` to [`Place::HELD`]. `false`, and nothing changed, when it is not at
    /// `from`: then the ring that named the chunk does not hold it.
    #[inline]
    pub(super) fn claim(&self, index: u32, from: Place) -> bool {
        let Some(place) = self.places.get(index as usize) else { return false };
        if place.load(Ordering::Relaxed) != from.0 {
            return false;
        }
        place.store(Place::HELD.0, Ordering::Relaxed);
        true
    }

    /// Records that the holder of chunk `index` moved it to `to`.
    #[inline]
    pub(super) fn surrender(&self, index: u32, to: Place) {
        if let Some(place) = self.places.get(index as usize) {
            place.store(to.0, Ordering::Relaxed);
        }
    }

    /// The span that follows chunk `index` in its frame.
    #[inline]
    pub(super) fn rest_of(&self, index: u32) -> Span {
        Span(self.rests.get(index as usize).map_or(0, |rest| rest.load(Ordering::Relaxed)))
    }

    /// Records the span that follows chunk `index` in its frame.
    pub(super) fn set_rest(&self, index: u32, rest: Span) {
        if let Some(entry) = self.rests.get(index as usize) {
            entry.store(rest.0, Ordering::Relaxed);
        }
    }

    /// Moves chunk `index`, which its holder releases, to the queue of free chunks.
    pub(super) fn release(&self, index: u32) {
        self.surrender(index, Place::FREE);
        let pushed = self.free.push(index);
        debug_assert!(pushed.is_ok(), "there is room for every chunk, and each is in there once");
    }

    /// Releases every chunk at `from`, a place of a closed socket. The socket was in copy mode, so the kernel
    /// uses none of them any more.
    pub(super) fn reclaim(&self, from: Place, _mode: CopyMode) {
        for (index, place) in (0_u32..).zip(&self.places) {
            if place.load(Ordering::Relaxed) == from.0 {
                self.release(index);
            }
        }
    }

    /// The address of the first byte of `span`.
    #[inline]
    pub(super) fn data(&self, span: Span) -> NonNull<u8> {
        debug_assert!((span.index() as usize) < self.places.len());
        // SAFETY: a `Frame` exists only for an index that `claim` found, so below `chunk_count`, and that
        // many chunks follow `base`. A span starts at most CHUNK_BYTES into its chunk (every method of a
        // frame keeps that), so in it or just after it.
        unsafe { self.base.add(span.address()) }
    }

    pub(super) const fn layout(&self) -> DescriptorLayout {
        self.layout
    }

    pub(super) const fn umem_handle(&self) -> Option<&Umem> {
        match &self.umem {
            Some(umem) => Some(umem.handle()),
            None => None,
        }
    }
}

fn checked(chunk_count: usize) -> Result<NonZeroU32, ArenaError> {
    u32::try_from(chunk_count)
        .ok()
        .filter(|count| *count <= u32::MAX / 2)
        .and_then(NonZeroU32::new)
        .ok_or(ArenaError::ChunkCount(chunk_count))
}
