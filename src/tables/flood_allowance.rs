//! How many flood copies a guest may still cause.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A token bucket: it fills by a rate, up to a tenth of a second's worth, and a frame that is flooded takes a token for
/// each copy. It may take more than there are: the debt is paid off before the next frame.
///
/// Only one worker uses it, so loads and stores do.
#[derive(Debug, Default)]
pub struct FloodAllowance {
    /// Copies a second; 0: without limit.
    rate: u32,
    /// In millionths of a copy.
    tokens: AtomicI64,
    /// When they were counted, in microseconds.
    at: AtomicU64,
}

/// Microseconds that fill the bucket.
const DEPTH: i64 = 100_000;

/// Millionths in a token: what a rate of 1 adds in a microsecond is one of them.
const TOKEN: i64 = 1_000_000;

impl FloodAllowance {
    /// A full bucket, filled with `rate` tokens a second; 0: without limit.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, ..Self::default() }
    }

    /// Takes `copies` tokens, if the bucket is not empty at `now`: microseconds, from any point in the past on, that is
    /// more than a tenth of a second ago. Returns whether it was not.
    pub fn take(&self, copies: usize, now: impl FnOnce() -> u64) -> bool {
        if self.rate == 0 {
            return true;
        }
        let now = now();
        let passed = now.saturating_sub(self.at.load(Ordering::Relaxed));
        self.at.store(now, Ordering::Relaxed);
        let added = i64::from(self.rate).saturating_mul(i64::try_from(passed).unwrap_or(i64::MAX));
        let full = i64::from(self.rate) * DEPTH;
        let tokens = self.tokens.load(Ordering::Relaxed).saturating_add(added).min(full);
        let granted = tokens > 0;
        let taken = if granted { i64::try_from(copies).unwrap_or(i64::MAX).saturating_mul(TOKEN) } else { 0 };
        self.tokens.store(tokens - taken, Ordering::Relaxed);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies granted within a second to a guest that has a frame flooded every 10 us.
    fn granted(rate: u32, copies: usize) -> usize {
        let bucket = FloodAllowance::new(rate);
        let start = 1_000_000;
        (0..100_000_u64).filter(|tick| bucket.take(copies, || start + tick * 10)).count() * copies
    }

    #[test]
    fn a_second_gives_its_rate_and_the_first_a_tenth_more() {
        for (rate, copies) in [(1000, 1), (1000, 3), (10_000, 499), (50_000, 1)] {
            let granted = granted(rate, copies);
            let expected = rate as usize * 11 / 10;
            assert!((expected..=expected + copies).contains(&granted), "{rate}, {copies}: {granted}");
        }
    }

    #[test]
    fn a_frame_with_more_copies_than_the_bucket_holds_goes_out_all_the_same() {
        let bucket = FloodAllowance::new(10);
        assert!(bucket.take(500, || 1_000_000));
        assert!(!bucket.take(1, || 2_000_000));
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(granted(0, 7), 700_000);
    }
}
