//! One's complement sums of 16-bit words (RFC 1071), not complemented; folded where the comment says so.

/// The sum of `bytes` as big-endian 16-bit words, an odd last byte padded with 0; not folded. It cannot
/// overflow for the length of a frame.
pub fn sum_be16(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(4);
    // Adding 32-bit words and folding later gives the same one's complement sum in half the additions.
    let sum: u64 = words
        .by_ref()
        .map(|word| word.first_chunk().map_or(0, |word| u64::from(u32::from_be_bytes(*word))))
        .sum();
    match *words.remainder() {
        [] => sum,
        [a] => sum + u64::from(u16::from_be_bytes([a, 0])),
        [a, b] => sum + u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, ..] => sum + u64::from(u16::from_be_bytes([a, b])) + u64::from(u16::from_be_bytes([c, 0])),
    }
}

/// The folded sum of the concatenation of `slices`.
pub fn sum_of_slices<'a>(slices: impl Iterator<Item = &'a [u8]>) -> u16 {
    let (mut sum, mut is_odd) = (0, false);
    for slice in slices {
        let part = fold(sum_be16(slice));
        // After an odd number of bytes a slice begins in the middle of a word (RFC 1071, 2(B)).
        sum += u64::from(if is_odd { part.swap_bytes() } else { part });
        is_odd ^= slice.len() % 2 == 1;
    }
    fold(sum)
}

/// Adds the carries back in until 16 bits are left.
pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(0)
}
