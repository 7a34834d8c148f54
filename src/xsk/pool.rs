//! A worker's own stock of free chunks.
//!
//! There are two kinds. A received frame was written by the CPU that runs the kernel's receive path, and each
//! cache line of its chunk must move to the worker's CPU before the worker can write to it. A *warm* chunk
//! was written by this worker a moment ago. The bytes of short frames are copied from the first kind to the
//! second, as drivers do ("copybreak"): to wait once for all cache lines of a burst and read them is cheaper
//! than to gain exclusive access to them frame by frame.

use super::arena::Arena;
use super::frame::Frame;
use super::sizes::BURST_FRAMES;

/// Free chunks, as empty frames, without memory that other workers write to. A full pool overflows into the
/// arena and an empty one refills from it, so chunks whose frames arrive at one worker and leave at another
/// circulate.
#[derive(Debug)]
pub struct ChunkPool {
    arena: &'static Arena,
    /// Chunks that other CPUs wrote to last. Last in, first out, as in `warm`.
    cold: Vec<Frame>,
    /// Chunks that this worker wrote to last.
    warm: Vec<Frame>,
}

impl ChunkPool {
    /// Chunks moved between a pool and the arena at once.
    const EXCHANGE_CHUNKS: usize = 256;
    /// Most cold chunks in a pool.
    const COLD_CHUNKS: usize = 4 * Self::EXCHANGE_CHUNKS;
    /// Most warm chunks in a pool: as many as eight sockets under load transmit in one pass.
    const WARM_CHUNKS: usize = 8 * BURST_FRAMES;
    /// Length of the longest frame that is copied.
    const COPYBREAK_BYTES: usize = 256;

    /// An empty pool of the chunks of `arena`.
    #[must_use]
    pub fn new(arena: &'static Arena) -> Self {
        let (cold, warm) = (Vec::with_capacity(Self::COLD_CHUNKS), Vec::with_capacity(Self::WARM_CHUNKS));
        Self { arena, cold, warm }
    }

    /// Takes a chunk as an empty frame; `None` when pool and arena are empty.
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        self.cold.pop().or_else(|| self.refill()).or_else(|| self.warm.pop())
    }

    /// Copies the short frames of `burst` into warm chunks, as long as there are some.
    #[inline]
    pub fn warm_up(&mut self, burst: &mut [Frame]) {
        burst.iter().for_each(Frame::prefetch);
        for frame in burst.iter_mut().filter(|frame| frame.len() <= Self::COPYBREAK_BYTES) {
            let Some(mut warm) = self.warm.pop() else { return };
            // Short frames have one chunk.
            if warm.copy_from(frame, || None) {
                self.put_cold(std::mem::replace(frame, warm));
            }
        }
    }

    /// Puts the chunks of a frame that this worker no longer needs.
    #[inline]
    pub fn put(&mut self, mut frame: Frame) {
        if let Some(rest) = frame.take_rest() {
            self.put(rest);
        }
        if self.warm.len() < Self::WARM_CHUNKS {
            self.warm.push(frame);
        } else {
            self.put_cold(frame);
        }
    }

    /// Puts the chunk of a frame into the cold stock.
    #[inline]
    fn put_cold(&mut self, frame: Frame) {
        if self.cold.len() == Self::COLD_CHUNKS {
            // A dropped token returns its chunk to the arena.
            self.cold.truncate(Self::COLD_CHUNKS - Self::EXCHANGE_CHUNKS);
        }
        self.cold.push(frame);
    }

    /// Number of chunks in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cold.len() + self.warm.len()
    }

    /// Whether the pool itself is empty; the arena may still have free chunks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arena that the chunks belong to.
    #[must_use]
    pub const fn arena(&self) -> &'static Arena {
        self.arena
    }

    #[cold]
    fn refill(&mut self) -> Option<Frame> {
        let arena = self.arena;
        self.cold.extend(std::iter::from_fn(|| arena.take()).take(Self::EXCHANGE_CHUNKS));
        self.cold.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_circulate_between_two_pools_and_none_leaks() {
        let arena = Arena::heap(2000).unwrap();
        let (mut from, mut to) = (ChunkPool::new(arena), ChunkPool::new(arena));
        for _ in 0..20_000 {
            to.put(from.take().unwrap());
            assert!(from.len().max(to.len()) <= ChunkPool::COLD_CHUNKS + ChunkPool::WARM_CHUNKS);
        }
        assert_eq!(from.len() + to.len() + arena.free_chunk_count(), arena.chunk_count());
        drop((from, to));
        assert_eq!(arena.free_chunk_count(), arena.chunk_count());
    }

    #[test]
    fn short_frames_are_copied_and_long_ones_are_not() {
        let arena = Arena::heap(100).unwrap();
        let mut pool = ChunkPool::new(arena);
        let frame = |len: usize| {
            let mut frame = arena.take().unwrap();
            assert!(frame.set_bytes(&vec![len as u8; len]));
            frame
        };
        pool.put(frame(0));
        let mut burst = [frame(ChunkPool::COPYBREAK_BYTES + 1), frame(60), frame(61)];
        let before = burst.each_ref().map(|frame| frame.bytes().as_ptr());
        pool.warm_up(&mut burst);
        let moved = burst.each_ref().map(|frame| !before.contains(&frame.bytes().as_ptr()));
        assert_eq!(moved, [false, true, false], "one was warm");
        let lens = burst.each_ref().map(|frame| frame.bytes().len());
        assert_eq!(lens, [ChunkPool::COPYBREAK_BYTES + 1, 60, 61]);
        assert!(
            burst.iter().all(|frame| frame.bytes().iter().all(|byte| *byte == frame.bytes().len() as u8))
        );
        drop((burst, pool));
        assert_eq!(arena.free_chunk_count(), arena.chunk_count());
    }
}
