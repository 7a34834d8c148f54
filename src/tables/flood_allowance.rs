//! How many frames a guest may still cause beyond those that it sends.

use std::sync::atomic::{AtomicU64, Ordering};

/// The generic cell rate algorithm (GCRA, ITU-T I.371, in its form of virtual scheduling), which is a token bucket: it fills
/// by a rate, up to a tenth of a second's worth, and a received frame takes a token for each buffer of its copies, and for
/// each surplus segment. It may take more than there are: the debt is paid off before the next frame.
///
/// Its only state is the time at which the bucket is, or was, empty: GCRA's theoretical arrival time less the tolerance. One
/// worker uses it, so a load and a store are enough.
#[derive(Debug, Default)]
pub struct FloodAllowance {
    /// In nanoseconds.
    empty_at: AtomicU64,
}

/// Nanoseconds that fill the bucket: GCRA's tolerance.
const DEPTH: u64 = 100_000_000;

const SECOND: u64 = 1_000_000_000;

impl FloodAllowance {
    /// Takes `frames` tokens, if the bucket, filled with `rate` a second, is not empty at `now` (in nanoseconds). Returns
    /// whether it was not. A rate of 0 is no limit.
    pub fn take(&self, frames: usize, rate: u32, now: impl FnOnce() -> u64) -> bool {
        if rate == 0 {
            return true;
        }
        let now = now();
        let empty_at = self.empty_at.load(Ordering::Relaxed).max(now.saturating_sub(DEPTH));
        let granted = empty_at < now;
        if granted {
            let taken = (frames as u64).saturating_mul(SECOND) / u64::from(rate);
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
