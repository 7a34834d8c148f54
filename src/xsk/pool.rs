//! A worker's own stock of free frames.
//!
//! Two kinds are told apart. A frame to receive into is written to by the CPU that receives, and each line of it moves
//! from cache to cache before we can write there. A warm one was written to by this worker a moment ago. Short frames
//! are copied from the first kind to the second, as drivers do ("copybreak"): to wait for the lines of a burst to come,
//! all at once, and to read them, is cheaper than to get hold of them for writing, one frame after the other.

use super::{Arena, BURST_FRAMES, Frame};

/// Free frames at hand, without touching what other workers touch. Runs over into and draws from the arena, so
/// frames that always arrive at one worker and leave at another find their way back.
#[derive(Debug)]
pub struct ChunkPool {
    arena: &'static Arena,
    /// The last one put in is the first to be taken.
    frames: Vec<Frame>,
    /// The same for those that this worker wrote to lately.
    warm: Vec<Frame>,
}

impl ChunkPool {
    /// Frames moved between a pool and the arena in one go.
    const EXCHANGE_FRAMES: usize = 256;
    /// Frames a pool keeps at the most.
    const CAPACITY_FRAMES: usize = 4 * Self::EXCHANGE_FRAMES;
    /// Warm frames it keeps at the most: what eight sockets under load have on their way in one pass.
    const WARM_FRAMES: usize = 8 * BURST_FRAMES;
    /// The longest frame that is copied.
    const COPYBREAK_BYTES: usize = 256;

    /// An empty pool of `arena`'s frames.
    #[must_use]
    pub fn new(arena: &'static Arena) -> Self {
        let (frames, warm) =
            (Vec::with_capacity(Self::CAPACITY_FRAMES), Vec::with_capacity(Self::WARM_FRAMES));
        Self { arena, frames, warm }
    }

    /// Takes a frame; `None` when pool and arena are empty.
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        self.frames.pop().or_else(|| self.draw()).or_else(|| self.warm.pop())
    }

    /// Moves what is in the short frames of `burst` into warm ones, as far as there are some.
    #[inline]
    pub fn warm_up(&mut self, burst: &mut [Frame]) {
        burst.iter().for_each(Frame::prefetch);
        for frame in burst.iter_mut().filter(|frame| frame.len() <= Self::COPYBREAK_BYTES) {
            let Some(mut warm) = self.warm.pop() else { return };
            // Short frames have one chunk.
            if warm.copy_from(frame, || None) {
                self.keep(std::mem::replace(frame, warm));
            }
        }
    }

    /// Takes back a frame that this worker is done with.
    #[inline]
    pub fn put(&mut self, mut frame: Frame) {
        if let Some(rest) = frame.take_rest() {
            self.put(rest);
        }
        if self.warm.len() < Self::WARM_FRAMES {
            self.warm.push(frame);
        } else {
            self.keep(frame);
        }
    }

    /// Puts a frame among those that are not warm.
    #[inline]
    fn keep(&mut self, frame: Frame) {
        if self.frames.len() == Self::CAPACITY_FRAMES {
            // Dropped frames go to the arena.
            self.frames.truncate(Self::CAPACITY_FRAMES - Self::EXCHANGE_FRAMES);
        }
        self.frames.push(frame);
    }

    /// Frames in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len() + self.warm.len()
    }

    /// Whether the pool itself is empty; the arena may still have frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arena whose frames these are.
    #[must_use]
    pub const fn arena(&self) -> &'static Arena {
        self.arena
    }

    #[cold]
    fn draw(&mut self) -> Option<Frame> {
        let arena = self.arena;
        self.frames.extend(std::iter::from_fn(|| arena.take()).take(Self::EXCHANGE_FRAMES));
        self.frames.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_wander_between_two_pools_without_loss() {
        let arena = Arena::heap(2000).unwrap();
        let (mut from, mut to) = (ChunkPool::new(arena), ChunkPool::new(arena));
        for _ in 0..20_000 {
            to.put(from.take().unwrap());
            assert!(from.len().max(to.len()) <= ChunkPool::CAPACITY_FRAMES + ChunkPool::WARM_FRAMES);
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
