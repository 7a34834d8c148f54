//! A fast mixture of two words, for hashes.

/// The folded product of two words, which spreads each of their bits over the result.
#[inline]
pub const fn mix(a: u64, b: u64) -> u64 {
    // Odd constants with about as many ones as zeros: digits of pi.
    const A: u64 = 0x243f_6a88_85a3_08d3;
    const B: u64 = 0x1319_8a2e_0370_7345;
    let product = (a ^ A) as u128 * (b ^ B) as u128;
    product as u64 ^ (product >> 64) as u64
}
