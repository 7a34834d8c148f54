//! The token that stands for one frame in user space.
//!
//! A frame that does not fit one chunk lies in several: the token names the first, and the arena keeps, by chunk, which
//! is the next. Nearly all frames have one chunk, and for them nothing is looked up.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::fmt;
use std::mem;
use std::ops::Range;
use std::slice;

use xsk_rs::FrameDesc;

use super::arena::{Arena, CHUNK_BYTES, HEADROOM_BYTES, Place};
use super::chunks::{Chunks, slice_of};
use super::descriptor::{DescriptorLayout, XDP_PKT_CONTD};
use super::span::Span;

/// What a CPU fetches at a time.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE_BYTES: usize = 64;

/// A frame that user space holds, in one chunk or, if it is long, in several.
///
/// Whoever has it owns the chunks of memory behind it: it cannot be copied, and it ends by moving into a ring, a pool
/// or another worker's queue. One that is merely dropped goes back to the arena, so none can be lost.
pub struct Frame {
    arena: &'static Arena,
    /// The first chunk.
    span: Span,
}

impl Frame {
    /// A token for chunk `index` of `arena`, holding `len` bytes from `start` on.
    ///
    /// # Safety
    /// No other `Frame` for that chunk exists, nor does the kernel hold it, and none will be made while this one
    /// lives. `index` is below the arena's frame count and `start + len` at most [`CHUNK_BYTES`].
    #[inline]
    pub(super) unsafe fn new(arena: &'static Arena, index: u32, start: usize, len: usize) -> Self {
        debug_assert!(start + len <= CHUNK_BYTES);
        Self { arena, span: Span::new(index, start, len) }
    }

    /// The bytes of its first chunk, from the destination address on: the whole frame, or of a long one more than any
    /// header takes.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the span is this token's.
        unsafe { slice_of(self.arena, self.span) }
    }

    /// The bytes of its first chunk, to rewrite in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.split_mut().0
    }

    /// The first chunk, to rewrite in place, and those behind it.
    #[inline]
    pub fn split_mut(&mut self) -> (&mut [u8], Chunks<'_>) {
        let rest = self.chunks().rest();
        // SAFETY: `start + len` lies in the chunk (kept by every method), the chunk is this token's alone and its
        // memory is never freed. `&mut self` makes the borrow the only one; `rest` never comes back to this chunk.
        let first =
            unsafe { slice::from_raw_parts_mut(self.arena.data(self.span).as_ptr(), self.span.len()) };
        (first, rest)
    }

    /// Its chunks, in order.
    #[inline]
    #[must_use]
    pub fn chunks(&self) -> Chunks<'_> {
        // SAFETY: the span is this token's, which is borrowed as long as the result.
        unsafe { Chunks::of(self.arena, self.span) }
    }

    /// The bytes in `range`, in pieces. Those that are not there are left out.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let pieces = self.chunks().map(move |chunk| {
            let at = |offset: usize| offset.saturating_sub(start).min(chunk.len());
            let piece = chunk.get(at(range.start)..at(range.end)).unwrap_or_default();
            start += chunk.len();
            piece
        });
        pieces.filter(|piece| !piece.is_empty())
    }

    /// A copy of its bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks().flatten().copied().collect()
    }

    /// How many chunks it has.
    #[inline]
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        if self.span.is_continued() { self.chunks().count() } else { 1 }
    }

    /// Bytes of all its chunks.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        if self.span.is_continued() { self.chunks().map(<[u8]>::len).sum() } else { self.span.len() }
    }

    /// Drops the first `bytes` bytes of the first chunk (all, if there are fewer): the start moves, the data does not.
    #[inline]
    pub fn trim_front(&mut self, bytes: usize) {
        self.span = self.span.trimmed(bytes);
    }

    /// Adds `bytes` bytes of undefined content in front; `false`, and nothing done, when there is no headroom.
    #[inline]
    #[must_use]
    pub fn grow_front(&mut self, bytes: usize) -> bool {
        let Some(grown) = self.span.grown(bytes) else { return false };
        self.span = grown;
        true
    }

    /// Has the CPU fetch the first chunk, which is soon read: by us, and by the kernel when it sends.
    #[inline]
    pub(super) fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        for line in self.bytes().chunks(CACHE_LINE_BYTES) {
            // SAFETY: a hint, which neither reads nor writes, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }

    /// Makes this frame a copy of `other`, with the same headroom. A long one takes more chunks from `more`; `false`,
    /// and something undefined in this frame, when there are none.
    #[inline]
    #[must_use]
    pub fn copy_from(&mut self, other: &Self, more: impl FnMut() -> Option<Self>) -> bool {
        drop(self.take_rest());
        self.span = Span::new(self.span.index(), other.span.start(), other.span.len());
        self.bytes_mut().copy_from_slice(other.bytes());
        !other.span.is_continued() || self.extend(other.chunks().rest(), more)
    }

    /// Replaces the content; `false`, and nothing done, when it does not fit one chunk behind the present start.
    #[must_use]
    pub fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > CHUNK_BYTES - self.span.start() {
            return false;
        }
        drop(self.take_rest());
        self.span = self.span.with(self.span.start(), bytes.len());
        self.bytes_mut().copy_from_slice(bytes);
        true
    }

    /// Makes it empty, with the headroom of a received one.
    pub fn clear(&mut self) {
        drop(self.take_rest());
        self.span = self.span.with(HEADROOM_BYTES, 0);
    }

    /// Adds bytes at the end, in chunks from `more` when the last one is full. `false`, and a part of them added, when
    /// there are none.
    #[must_use]
    pub fn extend<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
        mut more: impl FnMut() -> Option<Self>,
    ) -> bool {
        for mut piece in pieces {
            loop {
                piece = self.fill_last(piece);
                if piece.is_empty() {
                    break;
                }
                let Some(mut chunk) = more() else { return false };
                chunk.clear();
                self.append(chunk);
            }
        }
        true
    }

    /// Puts `bytes` behind what the last chunk holds, as far as they fit. Returns the rest.
    fn fill_last<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let last = self.last();
        let end = last.start() + last.len();
        let (bytes, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - end));
        let grown = last.with(last.start(), last.len() + bytes.len());
        self.replace_last(grown);
        let room = self.arena.data(last.with(end, bytes.len()));
        // SAFETY: `end + bytes.len()` is at most CHUNK_BYTES, so the slice lies in the chunk, which is this token's
        // alone; `&mut self` makes the borrow the only one.
        let room = unsafe { slice::from_raw_parts_mut(room.as_ptr(), bytes.len()) };
        room.copy_from_slice(bytes);
        rest
    }

    /// Adds the chunks of `rest` behind its own.
    pub(super) fn append(&mut self, rest: Self) {
        let last = self.last();
        self.arena.set_rest(last.index(), rest.span);
        self.replace_last(last.continued());
        // Its chunks are this token's now.
        mem::forget(rest);
    }

    /// Takes off the chunks behind the first, as a frame of their own.
    #[inline]
    pub(super) fn take_rest(&mut self) -> Option<Self> {
        if !self.span.is_continued() {
            return None;
        }
        let rest = self.arena.rest_of(self.span.index());
        self.span = self.span.ended();
        Some(Self { arena: self.arena, span: rest })
    }

    fn last(&self) -> Span {
        let mut last = self.span;
        while last.is_continued() {
            last = self.arena.rest_of(last.index());
        }
        last
    }

    /// Puts `last` in the place of the last chunk's span.
    fn replace_last(&mut self, last: Span) {
        let mut before = None;
        let mut span = self.span;
        while span.is_continued() {
            before = Some(span.index());
            span = self.arena.rest_of(span.index());
        }
        match before {
            Some(before) => self.arena.set_rest(before, last),
            None => self.span = last,
        }
    }

    /// Describes its chunks for a TX ring at the start of `descriptors`. Returns how many there are; `None`, and
    /// something undefined there, when they do not fit.
    #[inline]
    pub(super) fn describe(&self, layout: DescriptorLayout, descriptors: &mut [FrameDesc]) -> Option<usize> {
        let mut span = self.span;
        let mut count = 0;
        loop {
            let descriptor = descriptors.get_mut(count)?;
            *descriptor = layout.descriptor(span.address(), span.len());
            count += 1;
            if !span.is_continued() {
                return Some(count);
            }
            descriptor.set_options(XDP_PKT_CONTD);
            span = self.arena.rest_of(span.index());
        }
    }

    /// The offset of the first chunk's data in the UMEM.
    #[inline]
    pub(super) fn address(&self) -> usize {
        self.span.address()
    }

    /// Gives the chunks up to `to`, which the caller moves them into.
    #[inline]
    pub(super) fn surrender(mut self, to: Place) {
        if let Some(rest) = self.take_rest() {
            rest.surrender(to);
        }
        self.arena.surrender(self.span.index(), to);
        mem::forget(self);
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut rest = self.take_rest();
        self.arena.release(self.span.index());
        // One by one, and not one within the other.
        while let Some(mut frame) = rest {
            rest = frame.take_rest();
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("index", &self.span.index())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
