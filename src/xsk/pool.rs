//! A worker's own stock of free frames.

use super::{Arena, Frame};

/// Free frames at hand, without touching what other workers touch. Runs over into and draws from the arena, so
/// frames that always arrive at one worker and leave at another find their way back.
#[derive(Debug)]
pub struct FramePool {
    arena: &'static Arena,
    frames: Vec<Frame>,
}

impl FramePool {
    /// Frames moved between a pool and the arena in one go.
    const EXCHANGE_FRAMES: usize = 256;
    /// Frames a pool keeps at the most.
    const CAPACITY_FRAMES: usize = 4 * Self::EXCHANGE_FRAMES;

    /// An empty pool of `arena`'s frames.
    #[must_use]
    pub fn new(arena: &'static Arena) -> Self {
        Self { arena, frames: Vec::with_capacity(Self::CAPACITY_FRAMES) }
    }

    /// Takes a frame; `None` when pool and arena are empty.
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        self.frames.pop().or_else(|| self.draw())
    }

    /// Takes a free frame back.
    #[inline]
    pub fn put(&mut self, frame: Frame) {
        if self.frames.len() == Self::CAPACITY_FRAMES {
            // Dropped frames go to the arena.
            self.frames.truncate(Self::CAPACITY_FRAMES - Self::EXCHANGE_FRAMES);
        }
        self.frames.push(frame);
    }

    /// Frames in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the pool itself is empty; the arena may still have frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
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
        let (mut from, mut to) = (FramePool::new(arena), FramePool::new(arena));
        for _ in 0..20_000 {
            to.put(from.take().unwrap());
            assert!(from.len() <= FramePool::CAPACITY_FRAMES && to.len() <= FramePool::CAPACITY_FRAMES);
        }
        assert_eq!(from.len() + to.len() + arena.free_count(), arena.frame_count());
        drop((from, to));
        assert_eq!(arena.free_count(), arena.frame_count());
    }
}
