//! The most frequent values of a stream in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi:
//! "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005).

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use crate::packet::TagId;
use crate::types::MacAddr;

/// A value that was not counted for this long loses its slot before all others: a value that was frequent in
/// the past does not keep out present ones.
pub const RECENT: Duration = Duration::from_mins(1);

const SLOTS: usize = 8;

/// Flag in the `key` of a slot with a value; the key of a free slot is 0.
const USED: u64 = 1 << 63;

/// A value of up to 63 bits.
pub trait Key: Copy {
    /// Encodes the value as a number below 2^63.
    fn to_key(self) -> u64;

    /// Decodes the value that [`to_key`](Self::to_key) encoded.
    fn from_key(key: u64) -> Self;
}

impl Key for TagId {
    fn to_key(self) -> u64 {
        u64::from(self.tpid) << 16 | u64::from(self.vid)
    }

    fn from_key(key: u64) -> Self {
        Self { tpid: (key >> 16) as u16, vid: key as u16 }
    }
}

impl Key for MacAddr {
    fn to_key(self) -> u64 {
        self.bytes().into_iter().fold(0, |key, byte| key << 8 | u64::from(byte))
    }

    fn from_key(key: u64) -> Self {
        let [_, _, bytes @ ..] = key.to_be_bytes();
        Self::new(bytes)
    }
}

/// Counts of at most 8 values. One writer, any number of readers.
///
/// The newest value always has a slot, and a value with more than an eighth of the frames keeps its slot,
/// regardless of the number of other values.
#[derive(Debug)]
#[repr(align(64))]
pub struct FrequentValues<V> {
    slots: [Slot; SLOTS],
    value: PhantomData<V>,
}

#[derive(Debug, Default)]
struct Slot {
    key: AtomicU64,
    /// Number of frames with the value and with its predecessors in the slot.
    count: AtomicU64,
    /// The `count` when the value took the slot.
    inherited: AtomicU64,
    /// Time of the last frame with the value, in nanoseconds.
    last_seen: AtomicU64,
}

/// A value that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<V> {
    /// The counted tag or address.
    pub value: V,
    /// Number of frames with the value since it has its slot.
    pub frames: u64,
    /// Time of the last one, in nanoseconds of the writer's clock.
    pub last_seen: u64,
}

impl<V> Default for FrequentValues<V> {
    fn default() -> Self {
        Self { slots: Default::default(), value: PhantomData }
    }
}

impl<V: Key> FrequentValues<V> {
    /// Counts a frame with `value` at time `now`, in nanoseconds. Only one thread may call it.
    pub fn count(&self, value: V, now: u64) {
        let key = value.to_key() | USED;
        if let Some(slot) = self.slots.iter().find(|slot| slot.key.load(Ordering::Relaxed) == key) {
            slot.count.store(slot.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            slot.last_seen.store(now, Ordering::Relaxed);
        } else if let Some(rarest) = self.slots.iter().min_by_key(|slot| slot.rank(now)) {
            rarest.replace(key, now);
        }
    }

    /// The values that have a slot. A value whose slot is replaced during the read is left out.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting<V>> {
        self.slots.iter().filter_map(Slot::read)
    }
}

impl Slot {
    /// The slot with the lowest rank is replaced first.
    fn rank(&self, now: u64) -> u64 {
        let age = now.saturating_sub(self.last_seen.load(Ordering::Relaxed));
        let is_recent = u128::from(age) < RECENT.as_nanos();
        if is_recent { self.count.load(Ordering::Relaxed) } else { 0 }
    }

    /// The key is the sequence number of a seqlock: a reader for which it is unchanged has read a consistent
    /// slot.
    fn replace(&self, key: u64, now: u64) {
        let inherited = self.rank(now);
        self.key.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        self.inherited.store(inherited, Ordering::Relaxed);
        self.count.store(inherited.wrapping_add(1), Ordering::Relaxed);
        self.last_seen.store(now, Ordering::Relaxed);
        self.key.store(key, Ordering::Release);
    }

    fn read<V: Key>(&self) -> Option<Sighting<V>> {
        let key = self.key.load(Ordering::Acquire);
        let count = self.count.load(Ordering::Relaxed);
        let frames = count.wrapping_sub(self.inherited.load(Ordering::Relaxed));
        let last_seen = self.last_seen.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let is_whole = key != 0 && key == self.key.load(Ordering::Relaxed);
        is_whole.then(|| Sighting { value: V::from_key(key & !USED), frames, last_seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Key for u16 {
        fn to_key(self) -> u64 {
            self.into()
        }

        fn from_key(key: u64) -> Self {
            key as Self
        }
    }

    const MINUTE: u64 = RECENT.as_nanos() as u64;
    const NOW: u64 = 5 * MINUTE;

    fn frames_of(values: &FrequentValues<u16>, value: u16) -> Option<u64> {
        values.sightings().find(|sighting| sighting.value == value).map(|sighting| sighting.frames)
    }

    #[test]
    fn values_are_counted_with_the_time_of_the_last_frame() {
        let values = FrequentValues::default();
        for (value, now) in [(101, 5), (0, 6), (101, 7)] {
            values.count(value, now);
        }
        let seen: Vec<Sighting<u16>> = values.sightings().collect();
        let expected = [(101, 2, 7), (0, 1, 6)];
        assert_eq!(seen, expected.map(|(value, frames, last_seen)| Sighting { value, frames, last_seen }));
    }

    #[test]
    fn a_value_with_more_than_an_eighth_of_the_frames_is_never_hidden() {
        let values = FrequentValues::default();
        let mut random = fastrand::Rng::with_seed(1);
        for frame in 0..100_000 {
            // One in 6 has the value 101; the others have any of 4,094 values.
            values.count(if frame % 6 == 0 { 101 } else { random.u16(200..4294) }, NOW);
            if frame > 1000 {
                let frames = frames_of(&values, 101);
                assert!(frames.is_some_and(|frames| frames <= frame / 6 + 1), "{frame}: {frames:?}");
            }
        }
        assert_eq!(values.sightings().count(), SLOTS);
    }

    #[test]
    fn the_newest_value_has_a_slot_after_any_spray() {
        let values = FrequentValues::default();
        (0..100_000_u32).for_each(|frame| values.count((frame % 4094) as u16 + 1000, NOW));
        for frames in 1..100 {
            values.count(101, NOW);
            assert_eq!(frames_of(&values, 101), Some(frames));
        }
    }

    #[test]
    fn values_of_the_past_do_not_keep_out_present_ones() {
        let values = FrequentValues::default();
        for past in 1..=SLOTS as u16 {
            (0..1000).for_each(|_| values.count(past, NOW));
        }
        let today = NOW + MINUTE;
        for _ in 0..100 {
            (101..101 + SLOTS as u16).for_each(|value| values.count(value, today));
        }
        for value in 101..101 + SLOTS as u16 {
            assert_eq!(frames_of(&values, value), Some(100));
        }
    }

    #[test]
    fn a_reader_never_attributes_the_frames_of_one_value_to_another() {
        let values = FrequentValues::default();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The time of each frame is its value.
                (0..200_000_u64).for_each(|frame| values.count((frame % 4000) as u16, frame % 4000));
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                for Sighting { value, last_seen, .. } in values.sightings() {
                    assert_eq!(u64::from(value), last_seen);
                }
            }
        });
    }
}
