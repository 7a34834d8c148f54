//! The token that stands for one frame in user space.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::slice;

use super::arena::{Arena, FRAME_BYTES, Place};

/// A frame that user space holds.
///
/// Whoever has it owns the chunk of memory behind it: it cannot be copied, and it ends by moving into a ring, a pool
/// or another worker's queue. One that is merely dropped goes back to the arena, so none can be lost.
pub struct Frame {
    arena: &'static Arena,
    span: Span,
}

/// Which chunk, where the data starts in it, and how long it is: 32, 16 and 16 bits.
///
/// One word, so that a frame is passed on in two registers. As fields in memory they would be read as one right after
/// one of them was written, and such a read waits for that write, which waits for the data written before it.
#[derive(Clone, Copy)]
struct Span(u64);

impl Span {
    /// `start` and `len` are at most [`FRAME_BYTES`], which fits 16 bits.
    #[inline]
    const fn new(index: u32, start: usize, len: usize) -> Self {
        Self((index as u64) << 32 | (start as u64) << 16 | len as u64)
    }

    #[inline]
    const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    const fn start(self) -> usize {
        (self.0 >> 16) as u16 as usize
    }

    #[inline]
    const fn len(self) -> usize {
        self.0 as u16 as usize
    }
}

impl Frame {
    /// A token for chunk `index` of `arena`, holding `len` bytes from `start` on.
    ///
    /// # Safety
    /// No other `Frame` for that chunk exists, nor does the kernel hold it, and none will be made while this one
    /// lives. `index` is below the arena's frame count and `start + len` at most [`FRAME_BYTES`].
    #[inline]
    pub(super) unsafe fn new(arena: &'static Arena, index: u32, start: usize, len: usize) -> Self {
        debug_assert!(start + len <= FRAME_BYTES);
        Self { arena, span: Span::new(index, start, len) }
    }

    /// The bytes of the frame, from its destination address on.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `start + len` lies in the chunk (kept by every method), the chunk is this token's alone and its
        // memory is never freed.
        unsafe { slice::from_raw_parts(self.data().as_ptr(), self.span.len()) }
    }

    /// The bytes of the frame, to rewrite in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`; `&mut self` makes the borrow the only one.
        unsafe { slice::from_raw_parts_mut(self.data().as_ptr(), self.span.len()) }
    }

    /// Drops the first `bytes` bytes (all, if there are fewer): the start moves, the data does not.
    #[inline]
    pub fn trim_front(&mut self, bytes: usize) {
        let Self { span, .. } = self;
        let bytes = bytes.min(span.len());
        *span = Span::new(span.index(), span.start() + bytes, span.len() - bytes);
    }

    /// Adds `bytes` bytes of undefined content in front; `false`, and nothing done, when there is no headroom.
    #[inline]
    #[must_use]
    pub fn grow_front(&mut self, bytes: usize) -> bool {
        let Self { span, .. } = self;
        if bytes > span.start() {
            return false;
        }
        *span = Span::new(span.index(), span.start() - bytes, span.len() + bytes);
        true
    }

    /// Has the CPU fetch the first line of the frame, which is soon read.
    #[inline]
    pub(super) fn prefetch(&self) {
        // SAFETY: a hint, which neither reads nor writes, wherever it points.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(self.data().as_ptr().cast_const().cast());
        }
    }

    /// Makes this frame a copy of `other`, with the same headroom.
    #[inline]
    pub fn copy_from(&mut self, other: &Self) {
        self.span = Span::new(self.span.index(), other.span.start(), other.span.len());
        self.bytes_mut().copy_from_slice(other.bytes());
    }

    /// Replaces the content; `false`, and nothing done, when it does not fit behind the present start.
    #[must_use]
    pub fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        let Self { span, .. } = self;
        if bytes.len() > FRAME_BYTES - span.start() {
            return false;
        }
        *span = Span::new(span.index(), span.start(), bytes.len());
        self.bytes_mut().copy_from_slice(bytes);
        true
    }

    /// The offset of the data in the UMEM.
    #[inline]
    pub(super) fn address(&self) -> usize {
        self.span.index() as usize * FRAME_BYTES + self.span.start()
    }

    /// Gives the chunk up to `to`, which the caller moves it into.
    #[inline]
    pub(super) fn surrender(self, to: Place) {
        self.arena.surrender(self.span.index(), to);
        mem::forget(self);
    }

    #[inline]
    fn data(&self) -> NonNull<u8> {
        // SAFETY: `start` is at most FRAME_BYTES, so the result lies in the chunk or just behind it.
        unsafe { self.arena.chunk(self.span.index()).add(self.span.start()) }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.arena.release(self.span.index());
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("index", &self.span.index())
            .field("len", &self.span.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::HEADROOM_BYTES;
    use super::*;

    #[test]
    fn a_frame_never_leaves_its_chunk() {
        let arena = Arena::heap(2).unwrap();
        let mut frame = arena.take().unwrap();
        assert!(!frame.set_bytes(&[1; FRAME_BYTES]));
        assert!(frame.set_bytes(&[1; FRAME_BYTES - HEADROOM_BYTES]));
        assert!(!frame.grow_front(HEADROOM_BYTES + 1));
        assert!(frame.grow_front(HEADROOM_BYTES));
        assert_eq!(frame.bytes().len(), FRAME_BYTES);
        frame.trim_front(usize::MAX);
        assert_eq!(frame.bytes().len(), 0);
        assert!(frame.grow_front(FRAME_BYTES));
    }

    #[test]
    fn a_dropped_frame_comes_home_and_none_is_made_twice() {
        let arena = Arena::heap(3).unwrap();
        let frames: Vec<_> = std::iter::from_fn(|| arena.take()).collect();
        assert_eq!(frames.len(), 3);
        let mut addresses: Vec<_> = frames.iter().map(Frame::address).collect();
        addresses.dedup();
        assert_eq!(addresses.len(), 3);
        drop(frames);
        assert_eq!(arena.free_count(), 3);
    }

    #[test]
    fn a_copy_is_a_frame_of_its_own() {
        let arena = Arena::heap(2).unwrap();
        let (mut a, mut b) = (arena.take().unwrap(), arena.take().unwrap());
        assert!(a.set_bytes(b"original"));
        b.copy_from(&a);
        b.bytes_mut()[0] = b'O';
        assert_eq!((a.bytes(), b.bytes()), (&b"original"[..], &b"Original"[..]));
    }

    #[test]
    fn only_who_holds_a_chunk_can_claim_it() {
        let arena = Arena::heap(1).unwrap();
        let (receiving, transmitting) = (Place::receiving(7), Place::transmitting(7));
        arena.take().unwrap().surrender(receiving);
        assert!(arena.claim(0, transmitting, 0, 0).is_none());
        assert!(arena.claim(1, receiving, 0, 0).is_none());
        assert!(arena.claim(0, receiving, FRAME_BYTES, 1).is_none());
        let frame = arena.claim(0, receiving, 256, 60).unwrap();
        assert!(arena.claim(0, receiving, 256, 60).is_none(), "the kernel named the same chunk twice");
        frame.surrender(transmitting);
        arena.reclaim(receiving);
        assert_eq!(arena.free_count(), 0);
        arena.reclaim(transmitting);
        assert_eq!(arena.free_count(), 1);
    }
}
