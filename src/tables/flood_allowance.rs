//! How many flood copies a guest may still cause.

use std::sync::atomic::{AtomicU64, Ordering};

/// A token bucket: it fills by a rate, up to a tenth of a second's worth, and a frame that is flooded takes a token for
/// each copy. It may take more than there are: the debt is paid off before the next frame.
///
/// All there is to remember is when the bucket is, or was, empty: what has passed since then is in it. Only one worker
/// uses it, so a load and a store do.
#[derive(Debug, Default)]
pub struct FloodAllowance {
    /// In nanoseconds.
    empty_at: AtomicU64,
}

/// Nanoseconds that fill the bucket.
const DEPTH: u64 = 100_000_000;

const SECOND: u64 = 1_000_000_000;

impl FloodAllowance {
    /// Takes `copies` tokens, if the bucket, filled with `rate` a second, is not empty at `now` (in nanoseconds). Returns
    /// whether it was not. A rate of 0 is no limit.
    pub fn take(&self, copies: usize, rate: u32, now: impl FnOnce() -> u64) -> bool {
        if rate == 0 {
            return true;
        }
        let now = now();
        let empty_at = self.empty_at.load(Ordering::Relaxed).max(now.saturating_sub(DEPTH));
        let granted = empty_at < now;
        if granted {
            let taken = (copies as u64).saturating_mul(SECOND) / u64::from(rate);
            self.empty_at.store(empty_at.saturating_add(taken), Ordering::Relaxed);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies granted within a second to a guest that has a frame flooded every 10 us.
    fn granted(rate: u32, copies: usize) -> usize {
        let bucket = FloodAllowance::default();
        let granted = |tick: &u64| bucket.take(copies, rate, || SECOND + tick * 10_000);
        (0..100_000_u64).filter(granted).count() * copies
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
        let bucket = FloodAllowance::default();
        assert!(bucket.take(500, 10, || SECOND));
        assert!(!bucket.take(1, 10, || 2 * SECOND));
        assert!(bucket.take(1, 10, || 52 * SECOND));
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(granted(0, 7), 700_000);
    }
}
