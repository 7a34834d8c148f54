//! A hash table of fixed size, in which every operation looks at two buckets at most.

use bytemuck::Zeroable;
use bytemuck::allocation::zeroed_slice_box;

use super::entry::Entry;
use super::key::Key;
use super::tags::Tags;
use crate::xsk::prefetch;

/// Entries of a bucket.
const WAYS: usize = 8;

/// A connection goes into its first bucket until that has this many, then into the emptier of its two: most
/// are found in the first, and the table still fills up.
const FIRST_WAYS: usize = 6;

/// Entries by key. Memory is used from the first entries on, and as much as there have been at a time.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Box<[Bucket]>,
    /// Those of free places have a key of no port.
    entries: Box<[Entry]>,
    /// Places that were used before.
    free: Vec<Place>,
    /// This place and all behind it were never used.
    unused: u32,
    seed: u64,
}

/// Each key has two of them. A tag, 8 bits of an entry's hash, saves the look at most other entries.
///
/// With the room at the end it is as long as a line of the cache, and in one, as large allocations of the C
/// library begin 16 bytes behind a line. An alignment would have all buckets written at the start.
#[derive(Debug, Clone, Copy, Zeroable)]
#[repr(C)]
struct Bucket {
    tags: Tags,
    places: [Place; WAYS],
    room: [u32; 6],
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// The place of an entry, until its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Zeroable)]
#[repr(transparent)]
pub(crate) struct Place(u32);

/// The tag of a free way.
const FREE: u8 = 0;

/// There is no place for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Table {
    /// A table for `capacity` entries.
    pub(super) fn new(capacity: u32, seed: u64) -> Self {
        let capacity = capacity as usize;
        let buckets = (capacity / (WAYS - 1)).max(1).next_power_of_two();
        Self {
            buckets: zeroed_slice_box(buckets),
            entries: zeroed_slice_box(capacity),
            free: Vec::with_capacity(capacity),
            unused: 0,
            seed,
        }
    }

    /// Number of places that have been used: no entry is behind them.
    pub(super) const fn used(&self) -> u32 {
        self.unused
    }

    /// Begins to load the bucket in which an entry with this hash probably is.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        let [first, _] = self.buckets_of(hash);
        prefetch(self.buckets.get(first..=first).unwrap_or_default());
    }

    /// Begins to load the entries that this bucket has with the tag of this hash.
    #[inline]
    pub(super) fn prefetch_entries(&self, hash: u64) {
        let [first, _] = self.buckets_of(hash);
        let Some(Bucket { tags, places, .. }) = self.buckets.get(first) else { return };
        for place in tags.ways_with(tag_of(hash)).filter_map(|way| places.get(way)) {
            let place = place.0 as usize;
            prefetch(self.entries.get(place..=place).unwrap_or_default());
        }
    }

    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    /// The entry with this key.
    #[inline]
    pub(super) fn find(&self, key: &Key) -> Option<Place> {
        let hash = key.hash(self.seed);
        let [first, second] = self.buckets_of(hash);
        let is_it = |place: Place| self.entries.get(place.0 as usize).is_some_and(|entry| entry.key == *key);
        let in_bucket = |bucket| Some(self.way_in(bucket, hash, is_it)?.1);
        in_bucket(first).or_else(|| in_bucket(second))
    }

    /// The way with this hash that is the right one, and its place.
    #[inline]
    fn way_in(&self, bucket: usize, hash: u64, is_it: impl Fn(Place) -> bool) -> Option<(usize, Place)> {
        let Bucket { tags, places, .. } = self.buckets.get(bucket)?;
        let ways = tags.ways_with(tag_of(hash));
        ways.filter_map(|way| Some((way, *places.get(way)?))).find(|(_, place)| is_it(*place))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, Place(place): Place) -> Option<&mut Entry> {
        self.entries.get_mut(place as usize)
    }

    /// The entry at a number below [`used`](Self::used), if there is one.
    pub(super) fn at(&self, number: u32) -> Option<(Place, &Entry)> {
        let entry = self.entries.get(number as usize)?;
        entry.key.is_some().then_some((Place(number), entry))
    }

    /// Inserts an entry whose key has none. `may_go` returns whether another one may be removed for it; those
    /// are passed to `gone`.
    ///
    /// # Errors
    /// All places that it can have are taken.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        may_go: impl Fn(&Entry) -> bool,
        mut gone: impl FnMut(&Entry),
    ) -> Result<(), Full> {
        let hash = entry.key.hash(self.seed);
        let buckets = self.buckets_of(hash);
        if self.free_way(buckets).is_none() {
            for bucket in buckets {
                let places = self.buckets.get(bucket).map(|bucket| bucket.places);
                for place in places.into_iter().flatten() {
                    if self.entries.get(place.0 as usize).is_some_and(&may_go) {
                        self.remove(place).iter().for_each(&mut gone);
                    }
                }
            }
        }
        let (bucket, way) = self.free_way(buckets).ok_or(Full)?;
        let place = self.take_place().ok_or(Full)?;
        let bucket = self.buckets.get_mut(bucket).ok_or(Full)?;
        *bucket.places.get_mut(way).ok_or(Full)? = place;
        bucket.tags.set(way, tag_of(hash));
        *self.get_mut(place).ok_or(Full)? = entry;
        Ok(())
    }

    fn take_place(&mut self) -> Option<Place> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        let place = Place(self.unused);
        self.entries.get(place.0 as usize)?;
        self.unused += 1;
        Some(place)
    }

    fn free_way(&self, [first, second]: [usize; 2]) -> Option<(usize, usize)> {
        let taken = |bucket| {
            let free = self.buckets.get(bucket).map(|bucket: &Bucket| bucket.tags.ways_with(FREE).count());
            WAYS - free.unwrap_or_default()
        };
        let bucket = if taken(first) < FIRST_WAYS || taken(first) <= taken(second) { first } else { second };
        let way = self.buckets.get(bucket)?.tags.ways_with(FREE).next()?;
        Some((bucket, way))
    }

    /// Removes the entry at a place.
    pub(super) fn remove(&mut self, place: Place) -> Option<Entry> {
        let entry = *self.get_mut(place).filter(|entry| entry.key.is_some())?;
        let hash = entry.key.hash(self.seed);
        for bucket in self.buckets_of(hash) {
            if let Some((way, _)) = self.way_in(bucket, hash, |other| other == place)
                && let Some(bucket) = self.buckets.get_mut(bucket)
            {
                bucket.tags.set(way, FREE);
            }
        }
        *self.get_mut(place)? = Entry::zeroed();
        self.free.push(place);
        Some(entry)
    }

    /// The two buckets of a hash, which may be the same one.
    #[inline]
    fn buckets_of(&self, hash: u64) -> [usize; 2] {
        let mask = self.buckets.len() - 1;
        [hash as usize & mask, (hash >> 24) as usize & mask]
    }
}

/// Of bits that choose no bucket. No entry has that of a free way.
const fn tag_of(hash: u64) -> u8 {
    match (hash >> 56) as u8 {
        FREE => 1,
        tag => tag,
    }
}
