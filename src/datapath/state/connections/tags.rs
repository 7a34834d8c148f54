//! Eight bytes that are searched at once.

use bytemuck::Zeroable;

/// A tag for each way of a bucket: that of the first in the lowest byte.
#[derive(Debug, Clone, Copy, Zeroable)]
#[repr(transparent)]
pub(super) struct Tags(u64);

const LOWEST_BITS: u64 = u64::MAX / 0xff;
const OTHER_BITS: u64 = LOWEST_BITS * 0x7f;

impl Tags {
    /// The ways with this tag, the first one first.
    #[inline]
    pub(super) fn ways_with(self, tag: u8) -> Ways {
        // Its bytes are 0 where the tag is the same.
        let differences = self.0 ^ (LOWEST_BITS * u64::from(tag));
        // The highest bit of a sum is 1 if one of the others is.
        Ways(!(((differences & OTHER_BITS) + OTHER_BITS) | differences | OTHER_BITS))
    }

    /// Sets the tag of a way.
    pub(super) const fn set(&mut self, way: usize, tag: u8) {
        let shift = 8 * way as u32;
        self.0 = self.0 & !(0xff << shift) | (tag as u64) << shift;
    }
}

/// Ways: the highest bit of the byte of each.
#[derive(Debug)]
pub(super) struct Ways(u64);

impl Iterator for Ways {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bits = self.0;
        self.0 &= bits.wrapping_sub(1);
        (bits != 0).then_some(bits.trailing_zeros() as usize / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_with_a_tag_are_found_whatever_their_neighbours_are() {
        for tag in [0, 1, 0x7f, 0x80, 0xff] {
            for neighbour in [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff] {
                let mut tags = Tags(LOWEST_BITS * neighbour);
                let expected: Vec<_> =
                    if u64::from(tag) == neighbour { (0..8).collect() } else { vec![1, 2, 7] };
                for way in [1, 2, 7] {
                    tags.set(way, tag);
                }
                assert_eq!(tags.ways_with(tag).collect::<Vec<_>>(), expected, "{tag} beside {neighbour}");
            }
        }
    }
}
