//! The chunks of a frame, one after the other.

use std::fmt;
use std::marker::PhantomData;
use std::slice;

use super::arena::Arena;
use super::frame::Frame;
use super::span::Span;

/// The bytes of a span.
///
/// # Safety
/// The caller holds the token for its chunk as long as `'a`, and nobody writes to it meanwhile.
#[inline]
pub(super) unsafe fn slice_of<'a>(arena: &'static Arena, span: Span) -> &'a [u8] {
    // SAFETY: `start + len` lies in the chunk (kept by every method of a frame), whose memory is never freed; the rest is
    // the caller's promise.
    unsafe { slice::from_raw_parts(arena.data(span).as_ptr(), span.len()) }
}

/// The chunks of a frame, in order.
#[derive(Clone)]
pub struct Chunks<'a> {
    arena: &'static Arena,
    next: Option<Span>,
    _frame: PhantomData<&'a Frame>,
}

impl Chunks<'_> {
    /// Those of a frame whose first chunk is `first`.
    ///
    /// # Safety
    /// As for [`slice_of`]: the frame is the caller's as long as the result lives, and nobody writes to it meanwhile.
    #[inline]
    pub(super) const unsafe fn of(arena: &'static Arena, first: Span) -> Self {
        Self { arena, next: Some(first), _frame: PhantomData }
    }

    /// Those behind the next one.
    #[inline]
    pub(super) fn rest(mut self) -> Self {
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

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let span = self.step()?;
        // SAFETY: `'a` borrows the frame that holds the chunk.
        Some(unsafe { slice_of(self.arena, span) })
    }
}

impl fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(<[u8]>::len)).finish()
    }
}
