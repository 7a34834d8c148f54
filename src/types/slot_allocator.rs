//! Allocation of slot numbers.

use std::collections::BTreeSet;

/// Allocates numbers from 0 on, each to one holder at a time and the lowest first, so that tables indexed by
/// them stay dense.
#[derive(Debug, Clone, Default)]
pub struct SlotAllocator {
    /// This number and all above are free.
    next: u32,
    /// The released numbers below `next`.
    free: BTreeSet<u32>,
}

impl SlotAllocator {
    /// Allocates the lowest free number; `None` when it is not below `limit`.
    pub fn allocate(&mut self, limit: u32) -> Option<u32> {
        if let Some(number) = self.free.first().copied() {
            return (number < limit && self.free.remove(&number)).then_some(number);
        }
        let number = self.next;
        if number >= limit {
            return None;
        }
        self.next += 1;
        Some(number)
    }

    /// Releases a number that [`allocate`](Self::allocate) returned.
    pub fn release(&mut self, number: u32) {
        debug_assert!(number < self.next && !self.free.contains(&number), "{number} was not allocated");
        self.free.insert(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_allocated_once() {
        let mut numbers = SlotAllocator::default();
        assert_eq!(
            [numbers.allocate(3), numbers.allocate(3), numbers.allocate(3)],
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!(numbers.allocate(3), None);
        numbers.release(1);
        assert_eq!([numbers.allocate(3), numbers.allocate(3)], [Some(1), None]);
    }
}
