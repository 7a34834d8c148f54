//! Reading numbers from bytes.

/// The two bytes at `offset`, as a big-endian number; `None` when they are cut.
#[inline]
pub(super) fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}
