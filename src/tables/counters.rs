//! Per-port counters: one writer each, any number of readers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::WorkerId;
use super::flood_allowance::FloodAllowance;
use crate::datapath::DropReason;
use crate::nb::compact;
use crate::types::Id;

/// A port's counters, a set for each worker. Clones count together.
///
/// It points at the sets and not at a list of them: a worker that comes along for a frame rarely finds them in its
/// cache, and each pointer on the way is a wait more.
#[derive(Debug, Clone)]
pub struct PortCounters(Arc<[WorkerCounters]>);

/// What one worker counted of one port. Only that worker writes, so no two share a cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerCounters {
    received_frames: AtomicU64,
    received_bytes: AtomicU64,
    sent_frames: AtomicU64,
    sent_bytes: AtomicU64,
    drops: [AtomicU64; DropReason::COUNT],
    /// What the port may still have flooded.
    pub flood_allowance: FloodAllowance,
}

/// A port's counters, summed over the workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortTotals {
    /// Frames that came from the port.
    pub received_frames: u64,
    /// Their bytes, as they came.
    pub received_bytes: u64,
    /// Frames put into the TX ring for the port.
    pub sent_frames: u64,
    /// Their bytes, as they leave.
    pub sent_bytes: u64,
    /// Frames that ended here, by reason, in the order of [`DropReason::ALL`].
    pub drops: [u64; DropReason::COUNT],
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

    /// The sums over all workers.
    #[must_use]
    pub fn totals(&self) -> PortTotals {
        let mut totals = PortTotals::default();
        for worker in self.0.iter() {
            totals.received_frames += worker.received_frames.load(Ordering::Relaxed);
            totals.received_bytes += worker.received_bytes.load(Ordering::Relaxed);
            totals.sent_frames += worker.sent_frames.load(Ordering::Relaxed);
            totals.sent_bytes += worker.sent_bytes.load(Ordering::Relaxed);
            for (total, drops) in totals.drops.iter_mut().zip(&worker.drops) {
                *total += drops.load(Ordering::Relaxed);
            }
        }
        totals
    }
}

impl PortTotals {
    /// The drops that happened, with their reasons.
    pub fn drops_by_reason(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().copied().zip(self.drops).filter(|(_, count)| *count > 0)
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

    /// Counts a frame that ended here.
    #[inline]
    pub fn dropped(&self, reason: DropReason) {
        if let Some(drops) = self.drops.get(reason as usize) {
            add(drops, 1);
        }
    }
}

/// With a single writer a load and a store do, without a locked instruction.
#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// The counters of every port, from the first time it was compiled to the day its record goes. So they outlive the
/// single [`Tables`](super::Tables).
#[derive(Debug)]
pub struct CounterBook {
    workers: usize,
    ports: BTreeMap<Id, PortCounters>,
    no_port: PortCounters,
}

impl CounterBook {
    /// An empty book for `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers, ports: BTreeMap::new(), no_port: PortCounters::new(workers) }
    }

    /// The counters of the logical port `lport`.
    pub fn port(&mut self, lport: &Id) -> PortCounters {
        if let Some(counters) = self.ports.get(lport) {
            return counters.clone();
        }
        let counters = PortCounters::new(self.workers);
        self.ports.insert(lport.clone(), counters.clone());
        counters
    }

    /// The counters for what no port can be blamed for.
    #[must_use]
    pub fn no_port(&self) -> PortCounters {
        self.no_port.clone()
    }

    /// Leaves no room between the ports.
    pub(super) fn compact(&mut self) {
        compact(&mut self.ports);
    }

    /// Forgets a port.
    pub fn forget(&mut self, lport: &str) {
        self.ports.remove(lport);
    }

    /// The sums of every port, by id.
    pub fn totals(&self) -> impl Iterator<Item = (&str, PortTotals)> {
        self.ports.iter().map(|(lport, counters)| (lport.as_str(), counters.totals()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_over_the_workers() {
        let counters = PortCounters::new(2);
        for (worker, bytes) in [(0, 60), (1, 1500), (1, 64)] {
            let counters = counters.of(worker).unwrap();
            counters.received(bytes);
            counters.sent(bytes + 4);
            counters.dropped(DropReason::TransmitRingFull);
        }
        assert!(counters.of(2).is_none());
        let totals = counters.totals();
        assert_eq!((totals.received_frames, totals.received_bytes), (3, 1624));
        assert_eq!((totals.sent_frames, totals.sent_bytes), (3, 1636));
        assert_eq!(totals.drops_by_reason().collect::<Vec<_>>(), [(DropReason::TransmitRingFull, 3)]);
    }

    #[test]
    fn a_port_keeps_its_counters_until_it_is_forgotten() {
        let mut book = CounterBook::new(1);
        book.port(&Id::from("web")).of(0).unwrap().received(60);
        book.port(&Id::from("db")).of(0).unwrap().received(60);
        book.forget("db");
        book.port(&Id::from("db"));
        let frames: Vec<_> = book.totals().map(|(lport, totals)| (lport, totals.received_frames)).collect();
        assert_eq!(frames, [("db", 0), ("web", 1)]);
    }
}
