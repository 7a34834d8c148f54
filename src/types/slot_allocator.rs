//! Handing out small numbers.

use std::collections::BTreeSet;

/// Numbers from 0 on, each given to one holder at a time; low ones first, so that tables indexed by them stay dense.
#[derive(Debug, Clone, Default)]
pub struct SlotAllocator {
    /// All from here on are free.
    next: u32,
    /// Given back, and below `next`.
    free: BTreeSet<u32>,
}

impl SlotAllocator {
    /// Takes the lowest free number; `None` when it is not below `limit`.
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

    /// Gives a number back.
    pub fn release(&mut self, number: u32) {
        debug_assert!(number < self.next && !self.free.contains(&number), "{number} was not taken");
        self.free.insert(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_low_and_given_once() {
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
