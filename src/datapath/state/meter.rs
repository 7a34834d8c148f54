//! How many frames a guest may still cause beyond those that it sends.

use std::num::NonZeroU32;

use bytemuck::Zeroable;
use bytemuck::allocation::zeroed_slice_box;

/// A meter for each holder of a slot.
#[derive(Debug)]
pub(crate) struct Meters(Box<[Meter]>);

/// The generic cell rate algorithm (GCRA, ITU-T I.371, in its form of virtual scheduling), which is a token
/// bucket: it fills by a rate, up to a tenth of a second's worth, and a received frame takes a token for each
/// chunk of its copies, and for each surplus segment. It may take more than there are: the debt is paid off
/// before the next frame.
///
/// Its only state is the time at which the bucket is, or was, empty: GCRA's theoretical arrival time less the
/// tolerance.
#[derive(Debug, Clone, Copy, Zeroable)]
struct Meter {
    /// A new holder of a slot starts with a full bucket. 0: there was none yet.
    holder: u32,
    empty_at_ns: u64,
}

/// The slots that have a meter: all that links can have, and more networks than a host has.
const SLOTS: usize = 1 << u16::BITS;

/// The time that fills the bucket: GCRA's tolerance.
const DEPTH_NS: u64 = 100_000_000;

const SECOND_NS: u64 = 1_000_000_000;

const _: () = assert!(size_of::<Meter>() == 16);

impl Default for Meters {
    /// A meter for each slot that can be, since the datapath allocates nothing. Memory is used from the first
    /// frame on that is metered.
    fn default() -> Self {
        Self(zeroed_slice_box(SLOTS))
    }
}

impl Meters {
    /// Takes `frames` tokens, if the bucket of the holder of a slot, filled with `rate` a second, is not
    /// empty. Returns whether it was not. The number of a holder is not 0.
    pub(crate) fn take(
        &mut self,
        (slot, holder): (usize, u32),
        frames: usize,
        rate: NonZeroU32,
        now_ns: u64,
    ) -> bool {
        let Some(meter) = self.0.get_mut(slot) else { return false };
        if meter.holder != holder {
            *meter = Meter { holder, empty_at_ns: 0 };
        }
        let empty_at_ns = meter.empty_at_ns.max(now_ns.saturating_sub(DEPTH_NS));
        let is_granted = empty_at_ns < now_ns;
        if is_granted {
            let taken_ns = (frames as u64).saturating_mul(SECOND_NS) / u64::from(rate.get());
            meter.empty_at_ns = empty_at_ns.saturating_add(taken_ns);
        }
        is_granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: usize = 7;

    fn rate(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).unwrap()
    }

    /// Copies granted within a second to a guest that has a frame flooded every 10 us.
    fn granted(per_second: u32, copies: usize) -> usize {
        let mut meters = Meters::default();
        let mut granted =
            |tick: &u64| meters.take((SLOT, 1), copies, rate(per_second), SECOND_NS + tick * 10_000);
        (0..100_000_u64).filter(|tick| granted(tick)).count() * copies
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
        let mut meters = Meters::default();
        assert!(meters.take((SLOT, 1), 500, rate(10), SECOND_NS));
        assert!(!meters.take((SLOT, 1), 1, rate(10), 2 * SECOND_NS));
        assert!(meters.take((SLOT, 1), 1, rate(10), 52 * SECOND_NS));
    }

    #[test]
    fn a_guest_does_not_pay_for_the_one_before_it() {
        let mut meters = Meters::default();
        assert!(meters.take((SLOT, 1), 500, rate(10), SECOND_NS));
        assert!(!meters.take((SLOT, 1), 1, rate(10), SECOND_NS));
        assert!(meters.take((SLOT, 2), 1, rate(10), SECOND_NS));
    }
}
