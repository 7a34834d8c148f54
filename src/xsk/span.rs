//! The bytes that a frame has in one chunk, as one word.

use super::sizes::CHUNK_BYTES;

/// Chunk index (32 bits), whether the frame continues in another chunk (1 bit), offset of the data in the
/// chunk (15 bits) and length of the data (16 bits).
///
/// One word, so that a frame is passed in two registers. Separate fields in memory would be written one at a
/// time and read as one word right after, which defeats store forwarding: such a load waits for every store
/// before it.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) u64);

impl Span {
    const CONTINUED: u64 = 1 << 31;

    /// `start` and `len` are at most [`CHUNK_BYTES`].
    #[inline]
    pub(super) const fn new(index: u32, start: usize, len: usize) -> Self {
        Self((index as u64) << 32 | (start as u64) << 16 | len as u64)
    }

    /// The same chunk and continuation, with other data in it.
    #[inline]
    pub(super) const fn with(self, start: usize, len: usize) -> Self {
        Self((self.0 & (u64::MAX << 32 | Self::CONTINUED)) | (start as u64) << 16 | len as u64)
    }

    /// The same span, of a frame that continues in another chunk.
    #[inline]
    pub(super) const fn continued(self) -> Self {
        Self(self.0 | Self::CONTINUED)
    }

    /// The same span, as the last of its frame.
    #[inline]
    pub(super) const fn ended(self) -> Self {
        Self(self.0 & !Self::CONTINUED)
    }

    /// The span without its first `bytes` bytes; empty if there are fewer.
    #[inline]
    pub(super) fn trimmed(self, bytes: usize) -> Self {
        let bytes = bytes.min(self.len());
        // `start` gets what `len` loses, and both stay within their bits.
        Self(self.0 + ((bytes as u64) << 16) - bytes as u64)
    }

    /// The span with `bytes` more bytes before it; `None` if the chunk has no room for them.
    #[inline]
    pub(super) const fn grown(self, bytes: usize) -> Option<Self> {
        if bytes > self.start() {
            return None;
        }
        // `len` gets what `start` loses, and both stay within their bits.
        Some(Self(self.0 - ((bytes as u64) << 16) + bytes as u64))
    }

    #[inline]
    pub(super) const fn is_continued(self) -> bool {
        self.0 & Self::CONTINUED != 0
    }

    #[inline]
    pub(super) const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Offset of the data in the chunk.
    #[inline]
    pub(super) const fn start(self) -> usize {
        (self.0 >> 16) as usize & 0x7fff
    }

    #[inline]
    pub(super) const fn len(self) -> usize {
        self.0 as u16 as usize
    }

    /// Offset of the data in the UMEM.
    #[inline]
    pub(super) const fn address(self) -> usize {
        self.index() as usize * CHUNK_BYTES + self.start()
    }
}

const _: () = assert!(size_of::<Span>() == 8);
const _: () = assert!(CHUNK_BYTES < 1 << 15, "an offset in a chunk has 15 bits");
