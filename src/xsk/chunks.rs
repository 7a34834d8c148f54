//! The chunks of a frame, in order.

use std::fmt;
use std::marker::PhantomData;
use std::slice;

use super::arena::Arena;
use super::span::Span;

/// The bytes of a span.
///
/// # Safety
/// For all of `'a` the caller holds the frame that owns the chunk, and nothing writes to the chunk.
#[inline]
pub(super) unsafe fn slice_of<'a>(arena: &'static Arena, span: Span) -> &'a [u8] {
    // SAFETY: `start + len` lies in the chunk (every method of a frame keeps that), whose memory is never
    // freed; the rest is the caller's contract.
    unsafe { slice::from_raw_parts(arena.data(span).as_ptr(), span.len()) }
}

/// Iterator over the chunks of a frame, in order.
#[derive(Clone)]
pub struct Chunks<'a> {
    arena: &'static Arena,
    next: Option<Span>,
    _frame: PhantomData<&'a [u8]>,
}

impl Chunks<'_> {
    /// The chunks of a frame whose first span is `first`.
    ///
    /// # Safety
    /// As for [`slice_of`], for all of `'_`.
    #[inline]
    pub(super) const unsafe fn of(arena: &'static Arena, first: Span) -> Self {
        Self { arena, next: Some(first), _frame: PhantomData }
    }

    /// The chunks after the next one.
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
        // SAFETY: `'a` borrows the frame that owns the chunk.
        Some(unsafe { slice_of(self.arena, span) })
    }
}

impl fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(<[u8]>::len)).finish()
    }
}
