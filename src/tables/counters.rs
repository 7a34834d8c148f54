//! Counters of ports: each has one writer, and any number of readers.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::iter::successors;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use super::WorkerId;
use super::contested::Announcement;
use super::frequent_values::{FrequentValues, Key, Sighting};
use crate::nb::compact;
use crate::packet::TagId;
use crate::types::{ByReason, DropReason, Id, MacAddr};

/// A port's counters, a set for each worker. Clones share the sets.
///
/// One pointer leads to the sets: they are rarely in the cache of a worker, so each pointer more would cost a
/// cache miss for each frame.
#[derive(Debug, Clone)]
pub struct PortCounters(Arc<[WorkerCounters]>);

/// The counters of one port at one worker, which alone writes them. No two share a cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerCounters {
    received_frames: AtomicU64,
    received_bytes: AtomicU64,
    sent_frames: AtomicU64,
    sent_bytes: AtomicU64,
    drops: ByReason<AtomicU64>,
    address_moves: AtomicU64,
    refused_address_moves: AtomicU64,
    unknown_tags: OnceLock<Box<FrequentValues<TagId>>>,
    refused_macs: OnceLock<Box<FrequentValues<MacAddr>>>,
}

/// A port's counters, summed over the workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortTotals {
    /// Frames received from the port.
    pub received_frames: u64,
    /// Bytes of these frames as they were received.
    pub received_bytes: u64,
    /// Frames put into the TX ring for the port.
    pub sent_frames: u64,
    /// Bytes of these frames with the tags that were pushed.
    pub sent_bytes: u64,
    /// Frames dropped at this port, by reason, in the order of [`DropReason::ALL`].
    pub drops: ByReason<u64>,
    /// How often an address that several ports claim moved to the port.
    pub address_moves: u64,
    /// Frames that announced such an address less than a second after it had moved to another port.
    pub refused_address_moves: u64,
}

impl PortCounters {
    /// Counters at 0 for `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| WorkerCounters::default()).collect())
    }

    /// The set that `worker` writes; `None` for a worker that does not exist.
    #[inline]
    #[must_use]
    pub fn of(&self, worker: WorkerId) -> Option<&WorkerCounters> {
        self.0.get(worker)
    }

    /// Counts unknown tags from now on. Only for ports on which tags have a meaning, because it takes memory.
    pub(super) fn watch_tags(&self) {
        for worker in self.0.iter() {
            worker.unknown_tags.get_or_init(Box::default);
        }
    }

    /// Counts rejected source addresses from now on. Only for ports with port security, because it takes
    /// memory.
    pub(super) fn watch_macs(&self) {
        for worker in self.0.iter() {
            worker.refused_macs.get_or_init(Box::default);
        }
    }

    /// The tags from the port that no segmentation of it has, most frequent first.
    #[must_use]
    pub fn unknown_tags(&self) -> Vec<Sighting<TagId>> {
        merge(self.0.iter().filter_map(WorkerCounters::unknown_tags))
    }

    /// The MAC addresses that port security rejected, most frequent first.
    #[must_use]
    pub fn refused_macs(&self) -> Vec<Sighting<MacAddr>> {
        merge(self.0.iter().filter_map(WorkerCounters::refused_macs))
    }

    /// The sums over all workers.
    #[must_use]
    pub fn totals(&self) -> PortTotals {
        let mut totals = PortTotals::default();
        for worker in self.0.iter() {
            totals.received_frames += worker.received_frames.load(Ordering::Relaxed);
            totals.received_bytes += worker.received_bytes.load(Ordering::Relaxed);
            totals.sent_frames += worker.sent_frames.load(Ordering::Relaxed);
            totals.sent_bytes += worker.sent_bytes.load(Ordering::Relaxed);
            for (total, drops) in totals.drops.iter_mut().zip(worker.drops.iter()) {
                *total += drops.load(Ordering::Relaxed);
            }
            totals.address_moves += worker.address_moves.load(Ordering::Relaxed);
            totals.refused_address_moves += worker.refused_address_moves.load(Ordering::Relaxed);
        }
        totals
    }
}

/// Adds up the sightings of several workers.
fn merge<'a, V: Key + Ord + 'a>(workers: impl Iterator<Item = &'a FrequentValues<V>>) -> Vec<Sighting<V>> {
    let mut merged = BTreeMap::<V, Sighting<V>>::new();
    for seen in workers.flat_map(FrequentValues::sightings) {
        let entry = merged.entry(seen.value).or_insert(Sighting { frames: 0, ..seen });
        entry.frames += seen.frames;
        entry.last_seen = entry.last_seen.max(seen.last_seen);
    }
    let mut merged: Vec<_> = merged.into_values().collect();
    merged.sort_by_key(|seen| Reverse(seen.frames));
    merged
}

impl PortTotals {
    /// The numbers of dropped frames by reason, without reasons that did not occur.
    pub fn drops_by_reason(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().copied().zip(self.drops.iter().copied()).filter(|(_, count)| *count > 0)
    }
}

impl WorkerCounters {
    /// Counts a frame of `bytes` bytes from the port.
    #[inline]
    pub fn received(&self, bytes: usize) {
        add(&self.received_frames, 1);
        add(&self.received_bytes, bytes as u64);
    }

    /// Counts a frame of `bytes` bytes to the port.
    #[inline]
    pub fn sent(&self, bytes: usize) {
        add(&self.sent_frames, 1);
        add(&self.sent_bytes, bytes as u64);
    }

    /// Counts an announcement by the port.
    pub fn announced(&self, announcement: Announcement) {
        match announcement {
            Announcement::Unchanged => {}
            Announcement::Moved => add(&self.address_moves, 1),
            Announcement::Refused => add(&self.refused_address_moves, 1),
        }
    }

    /// Counts a frame that was dropped at this port.
    #[inline]
    pub fn dropped(&self, reason: DropReason) {
        if let Some(drops) = self.drops.get(reason.index()) {
            add(drops, 1);
        }
    }

    /// The counter of tags that no segmentation of the port has; `None` if they are not counted.
    #[must_use]
    pub fn unknown_tags(&self) -> Option<&FrequentValues<TagId>> {
        self.unknown_tags.get().map(Box::as_ref)
    }

    /// The counter of MAC addresses that port security rejects; `None` if they are not counted.
    #[must_use]
    pub fn refused_macs(&self) -> Option<&FrequentValues<MacAddr>> {
        self.refused_macs.get().map(Box::as_ref)
    }
}

/// A load and a store suffice with a single writer: no locked instruction.
#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// Ports that are copied from the book under one lock.
const PAGE: usize = 256;

/// The counters of every port, from its first compilation to the deletion of its record, so longer than one
/// [`Tables`](super::Tables). Clones share the entries: control adds and removes them, tasks of the API read
/// the sums.
#[derive(Debug, Clone)]
pub struct CounterBook {
    workers: usize,
    ports: Arc<RwLock<BTreeMap<Id, PortCounters>>>,
    /// Hosts, and the segments of provider networks, by the ids of their records.
    peers: Arc<RwLock<BTreeMap<Id, PortCounters>>>,
    segments: Arc<RwLock<BTreeMap<Id, PortCounters>>>,
    no_port: PortCounters,
}

impl CounterBook {
    /// A book without ports, for `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            ports: Arc::default(),
            peers: Arc::default(),
            segments: Arc::default(),
            no_port: PortCounters::new(workers),
        }
    }

    /// The counters of the port `lport`, which are made at the first call.
    #[must_use]
    pub fn port(&self, lport: &Id) -> PortCounters {
        self.get_or_create(&self.ports, lport)
    }

    /// The counters of a host, created on first use.
    #[must_use]
    pub fn peer(&self, chassis: &Id) -> PortCounters {
        self.get_or_create(&self.peers, chassis)
    }

    /// The counters of a provider network's segment, created on first use.
    #[must_use]
    pub fn segment(&self, lswitch: &Id) -> PortCounters {
        self.get_or_create(&self.segments, lswitch)
    }

    fn get_or_create(&self, counters: &RwLock<BTreeMap<Id, PortCounters>>, id: &Id) -> PortCounters {
        let mut counters = counters.write();
        counters.entry(id.clone()).or_insert_with(|| PortCounters::new(self.workers)).clone()
    }

    /// The hosts with their counts, by id.
    #[must_use]
    pub fn peer_totals(&self) -> Vec<(Id, PortTotals)> {
        self.peers.read().iter().map(|(id, counters)| (id.clone(), counters.totals())).collect()
    }

    /// The segments of provider networks with their counts, by the id of the network.
    #[must_use]
    pub fn segment_totals(&self) -> Vec<(Id, PortTotals)> {
        self.segments.read().iter().map(|(id, counters)| (id.clone(), counters.totals())).collect()
    }

    /// Forgets the counters of a host.
    pub(super) fn remove_peer(&self, chassis: &str) {
        self.peers.write().remove(chassis);
    }

    /// Forgets the counters of a network.
    pub(super) fn remove_segment(&self, lswitch: &str) {
        self.segments.write().remove(lswitch);
    }

    /// The counters for frames that cannot be attributed to a port.
    #[must_use]
    pub fn no_port(&self) -> PortCounters {
        self.no_port.clone()
    }

    /// The counters of a port that was compiled once.
    #[must_use]
    pub fn get(&self, lport: &str) -> Option<PortCounters> {
        self.ports.read().get(lport).cloned()
    }

    /// Packs the entries tightly, after many were added.
    pub(super) fn compact(&self) {
        compact(&mut *self.ports.write());
    }

    /// Removes a port whose record was deleted.
    pub fn remove(&self, lport: &str) {
        self.ports.write().remove(lport);
    }

    /// The sums of every port, by id. The lock is held for some ports at a time, and not while they are added
    /// up.
    pub fn totals(&self) -> impl Iterator<Item = (Id, PortTotals)> + use<'_> {
        let pages = successors(Some(self.page(None)), |page| Some(self.page(Some(&page.last()?.0))));
        pages.flatten().map(|(lport, counters)| (lport, counters.totals()))
    }

    /// The next ports behind `after`. Empty at the end.
    fn page(&self, after: Option<&Id>) -> Vec<(Id, PortCounters)> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str()));
        let ports = self.ports.read();
        let page = ports.range::<str, _>((start, Bound::Unbounded)).take(PAGE);
        page.map(|(id, counters)| (id.clone(), counters.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::drop_reason::Transmit;

    #[test]
    fn totals_are_sums_over_the_workers() {
        let counters = PortCounters::new(2);
        for (worker, bytes) in [(0, 60), (1, 1500), (1, 64)] {
            let counters = counters.of(worker).unwrap();
            counters.received(bytes);
            counters.sent(bytes + 4);
            counters.dropped(DropReason::Transmit(Transmit::RingFull));
        }
        assert!(counters.of(2).is_none());
        let totals = counters.totals();
        assert_eq!((totals.received_frames, totals.received_bytes), (3, 1624));
        assert_eq!((totals.sent_frames, totals.sent_bytes), (3, 1636));
        assert_eq!(
            totals.drops_by_reason().collect::<Vec<_>>(),
            [(DropReason::Transmit(Transmit::RingFull), 3)]
        );
    }

    #[test]
    fn what_several_workers_have_seen_is_added_up() {
        let counters = PortCounters::new(3);
        counters.watch_macs();
        let [often, rarely] = [1, 2].map(|last| MacAddr::new([2, 0, 0, 0, 0, last]));
        for (worker, mac, now) in [(0, rarely, 9), (0, often, 5), (2, often, 7), (2, often, 8)] {
            counters.of(worker).unwrap().refused_macs().unwrap().count(mac, now);
        }
        let seen = counters.refused_macs().into_iter().map(|seen| (seen.value, seen.frames, seen.last_seen));
        assert_eq!(seen.collect::<Vec<_>>(), [(often, 3, 8), (rarely, 1, 9)]);
        assert!(counters.of(0).unwrap().unknown_tags().is_none(), "not watched");
    }

    #[test]
    fn a_port_keeps_its_counters_until_it_is_removed() {
        let book = CounterBook::new(1);
        book.port(&Id::from("web")).of(0).unwrap().received(60);
        book.port(&Id::from("db")).of(0).unwrap().received(60);
        book.remove("db");
        drop(book.port(&Id::from("db")));
        let frames: Vec<_> = book.totals().map(|(lport, totals)| (lport, totals.received_frames)).collect();
        assert_eq!(frames, [("db".into(), 0), ("web".into(), 1)]);
    }

    #[test]
    fn the_sums_of_more_ports_than_one_page_are_all_there_and_a_clone_has_them() {
        let book = CounterBook::new(1);
        let clone = book.clone();
        let ids = || (0..3 * PAGE).map(|number| Id::from(format!("p{number:06}")));
        ids().for_each(|id| drop(book.port(&id)));
        assert_eq!(clone.totals().map(|(lport, _)| lport).collect::<Vec<_>>(), ids().collect::<Vec<_>>());
    }
}
