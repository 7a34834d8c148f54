//! The token for one frame in user space.
//!
//! A frame that does not fit one chunk has several: the token holds the first span, and the arena holds, by
//! chunk, the next one. Nearly all frames have one chunk, and need no look-up.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::slice;

use xsk_rs::FrameDesc;

use super::arena::Arena;
use super::chunks::{Chunks, slice_of};
use super::descriptor::{DescriptorLayout, XDP_PKT_CONTD};
use super::place::Place;
use super::prefetch::prefetch;
use super::sizes::{CHUNK_BYTES, HEADROOM_BYTES};
use super::span::Span;

/// A frame that user space holds, in one chunk or, if it is long, in several.
///
/// The token owns its chunks: it cannot be copied, and moves into a ring, a pool or another worker's queue.
/// Dropping the token returns the chunks to the arena, so none can leak.
pub struct Frame {
    arena: &'static Arena,
    /// The bytes in the first chunk.
    span: Span,
}

// Passed in two registers, also in an `Option`.
const _: () = assert!(size_of::<Frame>() == 16 && size_of::<Option<Frame>>() == 16);

impl Arena {
    /// Takes a free chunk as an empty frame with headroom; `None` when there is none. Slower than
    /// [`ChunkPool::take`](super::ChunkPool::take), because all workers share the queue.
    #[must_use]
    pub fn take(&'static self) -> Option<Frame> {
        Frame::claim(self, self.pop_free()?, Place::FREE, HEADROOM_BYTES, 0)
    }
}

impl Frame {
    /// Turns chunk `index`, which the caller takes out of the place `from`, into a frame of `len` bytes at
    /// `start`. `None` when the chunk is not at `from`, or the bytes are not within the chunk.
    ///
    /// No second token for the chunk can exist: the arena records [`Place::HELD`] until the token gives it
    /// up.
    #[inline]
    pub(super) fn claim(
        arena: &'static Arena,
        index: u32,
        from: Place,
        start: usize,
        len: usize,
    ) -> Option<Self> {
        if start + len > CHUNK_BYTES || !arena.claim(index, from) {
            return None;
        }
        Some(Self { arena, span: Span::new(index, start, len) })
    }

    /// The bytes of the first chunk, from the destination address on: the whole frame, or more than all
    /// headers of a long one.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the span is this token's.
        unsafe { slice_of(self.arena, self.span) }
    }

    /// The bytes of the first chunk, to rewrite in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.split_mut().0
    }

    /// The bytes of the first chunk, to rewrite in place, and the chunks after it.
    #[inline]
    pub fn split_mut(&mut self) -> (&mut [u8], Chunks<'_>) {
        let rest = self.chunks().rest();
        // SAFETY: `start + len` lies in the chunk (kept by every method), the chunk is this token's alone and
        // its memory is never freed. `&mut self` makes the borrow the only one; `rest` never returns to this
        // chunk.
        let first =
            unsafe { slice::from_raw_parts_mut(self.arena.data(self.span).as_ptr(), self.span.len()) };
        (first, rest)
    }

    /// Iterates over the chunks, in order.
    #[inline]
    #[must_use]
    pub fn chunks(&self) -> Chunks<'_> {
        // SAFETY: the span is this token's, and the result borrows the token.
        unsafe { Chunks::of(self.arena, self.span) }
    }

    /// The bytes in `range`, one slice for each chunk. A range that exceeds the frame is cut.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let slices = self.chunks().map(move |chunk| {
            let at = |offset: usize| offset.saturating_sub(start).min(chunk.len());
            let slice = chunk.get(at(range.start)..at(range.end)).unwrap_or_default();
            start += chunk.len();
            slice
        });
        slices.filter(|slice| !slice.is_empty())
    }

    /// Copies the bytes of all chunks.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks().flatten().copied().collect()
    }

    /// Number of chunks; never 0.
    #[inline]
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        if self.span.is_continued() { self.chunks().count() } else { 1 }
    }

    /// Number of bytes in all chunks.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no caller needs it")]
    pub fn len(&self) -> usize {
        if self.span.is_continued() { self.chunks().map(<[u8]>::len).sum() } else { self.span.len() }
    }

    /// Removes the first `bytes` bytes of the first chunk (all, if there are fewer): the start moves, the
    /// data does not.
    #[inline]
    pub fn trim_front(&mut self, bytes: usize) {
        self.span = self.span.trimmed(bytes);
    }

    /// Adds `bytes` bytes of undefined content at the front; `false`, and nothing changed, without enough
    /// headroom.
    #[inline]
    #[must_use]
    pub fn grow_front(&mut self, bytes: usize) -> bool {
        let Some(grown) = self.span.grown(bytes) else { return false };
        self.span = grown;
        true
    }

    /// Prefetches the bytes of the first chunk: the worker reads them soon, and so does the kernel when it
    /// transmits.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self.bytes());
    }

    /// Makes this frame a copy of `other`, with the same headroom. A long frame takes further chunks from
    /// `more`; `false`, and undefined content in this frame, when `more` has none.
    #[inline]
    #[must_use]
    pub fn copy_from(&mut self, other: &Self, more: impl FnMut() -> Option<Self>) -> bool {
        drop(self.take_rest());
        self.span = Span::new(self.span.index(), other.span.start(), other.span.len());
        self.bytes_mut().copy_from_slice(other.bytes());
        !other.span.is_continued() || self.extend(other.chunks().rest(), more)
    }

    /// Replaces the content; `false`, and nothing changed, when it does not fit one chunk after the present
    /// start.
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

    /// Makes the frame empty, with the headroom of a received one.
    pub fn clear(&mut self) {
        drop(self.take_rest());
        self.span = self.span.with(HEADROOM_BYTES, 0);
    }

    /// Appends bytes, in chunks from `more` when the last one is full. `false`, with a part of the bytes
    /// appended, when `more` has none.
    #[must_use]
    pub fn extend<'a>(
        &mut self,
        slices: impl IntoIterator<Item = &'a [u8]>,
        mut more: impl FnMut() -> Option<Self>,
    ) -> bool {
        for mut slice in slices {
            loop {
                slice = self.fill_last(slice);
                if slice.is_empty() {
                    break;
                }
                let Some(mut chunk) = more() else { return false };
                chunk.clear();
                self.append(chunk);
            }
        }
        true
    }

    /// Appends as many of `bytes` as fit the last chunk. Returns the rest.
    fn fill_last<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let last = self.last();
        let end = last.start() + last.len();
        let (bytes, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - end));
        let grown = last.with(last.start(), last.len() + bytes.len());
        self.replace_last(grown);
        let room = self.arena.data(last.with(end, bytes.len()));
        // SAFETY: `end + bytes.len()` is at most CHUNK_BYTES, so the slice lies in the chunk, which is this
        // token's alone; `&mut self` makes the borrow the only one.
        let room = unsafe { slice::from_raw_parts_mut(room.as_ptr(), bytes.len()) };
        room.copy_from_slice(bytes);
        rest
    }

    /// Appends the chunks of `rest`.
    pub(super) fn append(&mut self, rest: Self) {
        let last = self.last();
        self.arena.set_rest(last.index(), rest.span);
        self.replace_last(last.continued());
        // The chunks of `rest` are this token's now.
        mem::forget(rest);
    }

    /// Removes the chunks after the first, as a frame of their own.
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

    /// Replaces the span of the last chunk.
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

    /// Writes the descriptors of the chunks for a TX ring to the start of `descriptors`. Returns their
    /// number; `None`, and undefined content there, when they do not fit.
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

    /// Offset of the frame's first byte in the UMEM.
    #[inline]
    pub(super) fn address(&self) -> usize {
        self.span.address()
    }

    /// Gives up the chunks, which the caller moves to the place `to`.
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
        // A loop, because the drop of a frame with a rest would recurse.
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
