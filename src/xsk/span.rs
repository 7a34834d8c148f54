//! Where the bytes of one chunk lie, in one word.

use super::arena::CHUNK_BYTES;

/// Which chunk, whether the frame goes on in another, where the data starts in this one, and how long it is there: 32,
/// 1, 15 and 16 bits.
///
/// One word, so that a frame is passed on in two registers. As fields in memory they would be read as one right after
/// one of them was written, and such a read waits for that write, which waits for the data written before it.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) u64);

impl Span {
    const CONTINUED: u64 = 1 << 31;

    /// `start` and `len` are at most [`CHUNK_BYTES`], which fits 15 bits.
    #[inline]
    pub(super) const fn new(index: u32, start: usize, len: usize) -> Self {
        Self((index as u64) << 32 | (start as u64) << 16 | len as u64)
    }

    /// The same chunk with other data in it.
    #[inline]
    pub(super) const fn with(self, start: usize, len: usize) -> Self {
        Self((self.0 & (u64::MAX << 32 | Self::CONTINUED)) | (start as u64) << 16 | len as u64)
    }

    /// The same, of a frame that goes on in another chunk.
    #[inline]
    pub(super) const fn continued(self) -> Self {
        Self(self.0 | Self::CONTINUED)
    }

    /// The same, of a frame that ends here.
    #[inline]
    pub(super) const fn ended(self) -> Self {
        Self(self.0 & !Self::CONTINUED)
    }

    /// Without its first `bytes` bytes, or empty if there are fewer.
    #[inline]
    pub(super) fn trimmed(self, bytes: usize) -> Self {
        let bytes = bytes.min(self.len());
        // `start` gets what `len` loses, and both stay within their bits.
        Self(self.0 + ((bytes as u64) << 16) - bytes as u64)
    }

    /// With `bytes` bytes more in front, if the chunk has them there.
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

    /// The number of the chunk.
    #[inline]
    pub(super) const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Where the data starts in the chunk.
    #[inline]
    pub(super) const fn start(self) -> usize {
        (self.0 >> 16) as usize & 0x7fff
    }

    /// Bytes of data.
    #[inline]
    pub(super) const fn len(self) -> usize {
        self.0 as u16 as usize
    }

    /// Where the data starts in the UMEM.
    #[inline]
    pub(super) const fn address(self) -> usize {
        self.index() as usize * CHUNK_BYTES + self.start()
    }
}
