//! The token that stands for one frame in user space.
//!
//! A frame that does not fit one chunk lies in several: the token names the first, and the arena keeps, by chunk, which
//! is the next. Nearly all frames have one chunk, and for them nothing is looked up.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::Range;
use std::ptr::NonNull;
use std::slice;

use xsk_rs::FrameDesc;

use super::arena::{Arena, FRAME_BYTES, HEADROOM_BYTES, Place};
use super::descriptor::{DescriptorLayout, XDP_PKT_CONTD};

/// A frame that user space holds, in one buffer or, if it is long, in several.
///
/// Whoever has it owns the chunks of memory behind it: it cannot be copied, and it ends by moving into a ring, a pool
/// or another worker's queue. One that is merely dropped goes back to the arena, so none can be lost.
pub struct Frame {
    arena: &'static Arena,
    /// The first buffer.
    span: Span,
}

/// Which chunk, whether the frame goes on in another, where the data starts in this one, and how long it is there: 32,
/// 1, 15 and 16 bits.
///
/// One word, so that a frame is passed on in two registers. As fields in memory they would be read as one right after
/// one of them was written, and such a read waits for that write, which waits for the data written before it.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) u64);

impl Span {
    const CONTINUED: u64 = 1 << 31;

    /// `start` and `len` are at most [`FRAME_BYTES`], which fits 15 bits.
    #[inline]
    const fn new(index: u32, start: usize, len: usize) -> Self {
        Self((index as u64) << 32 | (start as u64) << 16 | len as u64)
    }

    /// The same chunk with other data in it.
    #[inline]
    const fn with(self, start: usize, len: usize) -> Self {
        Self((self.0 & (u64::MAX << 32 | Self::CONTINUED)) | (start as u64) << 16 | len as u64)
    }

    #[inline]
    const fn is_continued(self) -> bool {
        self.0 & Self::CONTINUED != 0
    }

    #[inline]
    const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    const fn start(self) -> usize {
        (self.0 >> 16) as usize & 0x7fff
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

    /// The bytes of its first buffer, from the destination address on: the whole frame, or of a long one more than any
    /// header takes.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the span is this token's.
        unsafe { slice_of(self.arena, self.span) }
    }

    /// The bytes of its first buffer, to rewrite in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.split_mut().0
    }

    /// The first buffer, to rewrite in place, and those behind it.
    #[inline]
    pub fn split_mut(&mut self) -> (&mut [u8], Buffers<'_>) {
        let rest = self.buffers().rest();
        // SAFETY: `start + len` lies in the chunk (kept by every method), the chunk is this token's alone and its
        // memory is never freed. `&mut self` makes the borrow the only one; `rest` never comes back to this chunk.
        let first = unsafe { slice::from_raw_parts_mut(self.data().as_ptr(), self.span.len()) };
        (first, rest)
    }

    /// Its buffers, in order.
    #[inline]
    #[must_use]
    pub fn buffers(&self) -> Buffers<'_> {
        Buffers { arena: self.arena, next: Some(self.span), _frame: PhantomData }
    }

    /// The bytes in `range`, in pieces. Those that are not there are left out.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let pieces = self.buffers().map(move |buffer| {
            let at = |offset: usize| offset.saturating_sub(start).min(buffer.len());
            let piece = buffer.get(at(range.start)..at(range.end)).unwrap_or_default();
            start += buffer.len();
            piece
        });
        pieces.filter(|piece| !piece.is_empty())
    }

    /// A copy of its bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.buffers().flatten().copied().collect()
    }

    /// How many buffers it has.
    #[inline]
    #[must_use]
    pub fn buffer_count(&self) -> usize {
        if self.span.is_continued() { self.buffers().count() } else { 1 }
    }

    /// Bytes of all its buffers.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        if self.span.is_continued() { self.buffers().map(<[u8]>::len).sum() } else { self.span.len() }
    }

    /// Drops the first `bytes` bytes of the first buffer (all, if there are fewer): the start moves, the data does not.
    #[inline]
    pub fn trim_front(&mut self, bytes: usize) {
        let Self { span, .. } = self;
        let bytes = bytes.min(span.len());
        // `start` gets what `len` loses, and both stay within their bits.
        *span = Span(span.0 + ((bytes as u64) << 16) - bytes as u64);
    }

    /// Adds `bytes` bytes of undefined content in front; `false`, and nothing done, when there is no headroom.
    #[inline]
    #[must_use]
    pub fn grow_front(&mut self, bytes: usize) -> bool {
        let Self { span, .. } = self;
        if bytes > span.start() {
            return false;
        }
        // `len` gets what `start` loses, and both stay within their bits.
        *span = Span(span.0 - ((bytes as u64) << 16) + bytes as u64);
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

    /// Makes this frame a copy of `other`, with the same headroom. A long one takes more buffers from `more`; `false`,
    /// and something undefined in this frame, when there are none.
    #[inline]
    #[must_use]
    pub fn copy_from(&mut self, other: &Self, more: impl FnMut() -> Option<Self>) -> bool {
        drop(self.take_rest());
        self.span = Span::new(self.span.index(), other.span.start(), other.span.len());
        self.bytes_mut().copy_from_slice(other.bytes());
        !other.span.is_continued() || self.extend(other.buffers().rest(), more)
    }

    /// Replaces the content; `false`, and nothing done, when it does not fit one buffer behind the present start.
    #[must_use]
    pub fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > FRAME_BYTES - self.span.start() {
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

    /// Adds bytes at the end, in buffers from `more` when the last one is full. `false`, and a part of them added, when
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
                let Some(mut buffer) = more() else { return false };
                buffer.clear();
                self.append(buffer);
            }
        }
        true
    }

    /// Puts `bytes` behind what the last buffer holds, as far as they fit. Returns the rest.
    fn fill_last<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let last = self.last();
        let end = last.start() + last.len();
        let (bytes, rest) = bytes.split_at(bytes.len().min(FRAME_BYTES - end));
        let grown = last.with(last.start(), last.len() + bytes.len());
        self.replace_last(grown);
        // SAFETY: `end` is at most FRAME_BYTES, so the result lies in the chunk or just behind it.
        let room = unsafe { self.arena.chunk(last.index()).add(end) };
        // SAFETY: `end + bytes.len()` is at most FRAME_BYTES, so the slice lies in the chunk, which is this token's
        // alone; `&mut self` makes the borrow the only one.
        let room = unsafe { slice::from_raw_parts_mut(room.as_ptr(), bytes.len()) };
        room.copy_from_slice(bytes);
        rest
    }

    /// Adds the buffers of `rest` behind its own.
    pub(super) fn append(&mut self, rest: Self) {
        let last = self.last();
        self.arena.set_rest(last.index(), rest.span);
        self.replace_last(Span(last.0 | Span::CONTINUED));
        // Its chunks are this token's now.
        mem::forget(rest);
    }

    /// Takes off the buffers behind the first, as a frame of their own.
    #[inline]
    pub(super) fn take_rest(&mut self) -> Option<Self> {
        if !self.span.is_continued() {
            return None;
        }
        let rest = self.arena.rest_of(self.span.index());
        self.span = Span(self.span.0 & !Span::CONTINUED);
        Some(Self { arena: self.arena, span: rest })
    }

    fn last(&self) -> Span {
        let mut last = self.span;
        while last.is_continued() {
            last = self.arena.rest_of(last.index());
        }
        last
    }

    /// Puts `last` in the place of the last buffer's span.
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

    /// Describes its buffers for a TX ring at the start of `descriptors`. Returns how many there are; `None`, and
    /// something undefined there, when they do not fit.
    #[inline]
    pub(super) fn describe(&self, layout: DescriptorLayout, descriptors: &mut [FrameDesc]) -> Option<usize> {
        let mut span = self.span;
        let mut count = 0;
        loop {
            let descriptor = descriptors.get_mut(count)?;
            *descriptor = layout.descriptor(address(span), span.len());
            count += 1;
            if !span.is_continued() {
                return Some(count);
            }
            descriptor.set_options(XDP_PKT_CONTD);
            span = self.arena.rest_of(span.index());
        }
    }

    /// The offset of the first buffer's data in the UMEM.
    #[inline]
    pub(super) fn address(&self) -> usize {
        address(self.span)
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

    #[inline]
    fn data(&self) -> NonNull<u8> {
        // SAFETY: `start` is at most FRAME_BYTES, so the result lies in the chunk or just behind it.
        unsafe { self.arena.chunk(self.span.index()).add(self.span.start()) }
    }
}

/// The offset of a span's data in the UMEM.
#[inline]
fn address(span: Span) -> usize {
    span.index() as usize * FRAME_BYTES + span.start()
}

/// The bytes of a span.
///
/// # Safety
/// The caller holds the token for its chunk as long as `'a`, and nobody writes to it meanwhile.
#[inline]
unsafe fn slice_of<'a>(arena: &'static Arena, span: Span) -> &'a [u8] {
    let chunk = arena.chunk(span.index());
    // SAFETY: `start` is at most FRAME_BYTES, so the result lies in the chunk or just behind it.
    let data = unsafe { chunk.add(span.start()) };
    // SAFETY: `start + len` lies in the chunk (kept by every method of a frame), whose memory is never freed; the rest is
    // the caller's promise.
    unsafe { slice::from_raw_parts(data.as_ptr(), span.len()) }
}

/// The buffers of a frame, in order.
#[derive(Clone)]
pub struct Buffers<'a> {
    arena: &'static Arena,
    next: Option<Span>,
    _frame: PhantomData<&'a Frame>,
}

impl Buffers<'_> {
    /// Those behind the next one.
    #[inline]
    fn rest(mut self) -> Self {
        self.step();
        self
    }

    #[inline]
    fn step(&mut self) -> Option<Span> {
        let span = self.next?;
        self.next = span.is_continued().then(|| self.arena.rest_of(span.index()));
        Some(span)
    }
}

impl<'a> Iterator for Buffers<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let span = self.step()?;
        // SAFETY: `'a` borrows the frame that holds the chunk.
        Some(unsafe { slice_of(self.arena, span) })
    }
}

impl fmt::Debug for Buffers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(<[u8]>::len)).finish()
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
        assert!(b.copy_from(&a, || None));
        b.bytes_mut()[0] = b'O';
        assert_eq!((a.bytes(), b.bytes()), (&b"original"[..], &b"Original"[..]));
    }

    #[test]
    fn a_long_frame_is_one_frame_in_several_chunks() {
        const BUFFER: usize = FRAME_BYTES - HEADROOM_BYTES;
        let arena = Arena::heap(6).unwrap();
        let bytes: Vec<u8> = (0..2 * BUFFER + 100).map(|n| (n % 251) as u8).collect();
        let mut frame = arena.take().unwrap();
        frame.clear();
        assert!(frame.extend(bytes.chunks(700), || arena.take()));
        assert_eq!((frame.buffer_count(), frame.len(), arena.free_count()), (3, bytes.len(), 3));
        assert_eq!(frame.to_vec(), bytes);
        assert!(frame.grow_front(4));
        frame.trim_front(8);
        assert_eq!(frame.to_vec(), bytes[4..]);
        assert_eq!(
            frame.slices(BUFFER - 10..BUFFER + 10).collect::<Vec<_>>().concat(),
            bytes[4..][BUFFER - 10..BUFFER + 10]
        );
        assert_eq!(frame.slices(9000..9001).count(), 0);

        let mut copy = arena.take().unwrap();
        assert!(copy.copy_from(&frame, || arena.take()));
        assert_eq!((copy.to_vec(), arena.free_count()), (frame.to_vec(), 0));
        assert!(!copy.copy_from(&frame, || None), "there are no more chunks");
        drop(copy);
        assert_eq!(arena.free_count(), 3);
        assert!(frame.set_bytes(b"short"));
        assert_eq!((frame.to_vec(), arena.free_count()), (b"short".to_vec(), 5));
    }

    #[test]
    fn the_chunks_of_a_long_frame_go_and_come_home_together() {
        let arena = Arena::heap(4).unwrap();
        let mut frame = arena.take().unwrap();
        frame.clear();
        assert!(frame.extend([&[7; 3 * FRAME_BYTES][..]], || arena.take()));
        let mut descriptors = [FrameDesc::default(); 4];
        assert_eq!(frame.describe(arena.layout(), &mut descriptors[..3]), None);
        assert_eq!(frame.describe(arena.layout(), &mut descriptors), Some(4));
        assert_eq!(
            descriptors.map(|descriptor| descriptor.options()),
            [XDP_PKT_CONTD, XDP_PKT_CONTD, XDP_PKT_CONTD, 0]
        );
        assert_eq!(
            descriptors.map(|descriptor| descriptor.lengths().data()).iter().sum::<usize>(),
            3 * FRAME_BYTES
        );
        let ring = Place::transmitting(7);
        frame.surrender(ring);
        assert_eq!(arena.census().transmitting, 4);
        arena.reclaim(ring);
        assert_eq!(arena.free_count(), 4);
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
