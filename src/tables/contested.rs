//! Addresses that several ports claim, and the holder of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::PortSlot;
use crate::types::PortKey;

/// Milliseconds between two moves of an address.
const MOVE_INTERVAL_MS: u64 = 1000;

/// The holder of an address, and the time of its last move. All tables with the address share it, and any
/// worker may write it.
///
/// One word, so that a move is one compare-and-swap: the port's `unique_key` (31 bits; 0: no port has
/// announced the address yet) above the milliseconds of the clock at the last move (33 bits, which wrap in 99
/// days).
#[derive(Debug, Default)]
pub(super) struct Holder(AtomicU64);

const TIME_BITS: u32 = 33;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

impl Holder {
    /// Sets the holder, for an address that one port claims.
    pub(super) fn set(&self, key: PortKey) {
        let moved_ms = self.0.load(Ordering::Relaxed) & TIME_MASK;
        self.0.store(word(key, moved_ms), Ordering::Relaxed);
    }

    fn key(&self) -> u32 {
        key_of(self.0.load(Ordering::Relaxed))
    }
}

const fn word(key: PortKey, moved_ms: u64) -> u64 {
    (key.get() as u64) << TIME_BITS | moved_ms & TIME_MASK
}

const fn key_of(word: u64) -> u32 {
    (word >> TIME_BITS) as u32
}

/// An address that several ports of a network claim.
#[derive(Debug)]
pub struct ContestedAddress {
    /// The ports that claim it, sorted by key.
    claimants: Box<[(PortKey, PortSlot)]>,
    holder: Arc<Holder>,
}

/// The outcome of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// The port holds the address already, or does not claim it.
    Unchanged,
    /// The port holds the address now.
    Moved,
    /// The address moved less than a second ago, and keeps its holder.
    Refused,
}

impl ContestedAddress {
    pub(super) fn new(mut claimants: Vec<(PortKey, PortSlot)>, holder: Arc<Holder>) -> Self {
        claimants.sort_unstable();
        Self { claimants: claimants.into(), holder }
    }

    /// The slots of the ports that claim it, in the order of their keys.
    pub fn claimants(&self) -> impl Iterator<Item = PortSlot> {
        self.claimants.iter().map(|(_, slot)| *slot)
    }

    /// The key of the port that claims it at this place; of several at one host, any.
    #[must_use]
    pub fn key_at(&self, slot: PortSlot) -> Option<PortKey> {
        self.claimants.iter().find(|(_, claimant)| *claimant == slot).map(|(key, _)| *key)
    }

    fn slot_of(&self, key: u32) -> Option<PortSlot> {
        let place = self.claimants.binary_search_by_key(&key, |(key, _)| key.get()).ok()?;
        self.claimants.get(place).map(|(_, slot)| *slot)
    }

    /// The port that receives frames to it. `None` while no present claimant has announced it: a port that is
    /// down, or has no longer the pair, is not a claimant.
    #[must_use]
    pub fn holder(&self) -> Option<PortSlot> {
        self.slot_of(self.holder.key())
    }

    /// Moves it to the port with this key, which has announced it, if that port claims it: at once while no
    /// port holds it, otherwise if its last move was at least a second ago. `now` returns nanoseconds, and is
    /// called only if the address has to move.
    pub fn announce(&self, port: PortKey, now: impl FnOnce() -> u64) -> Announcement {
        let held = self.holder.0.load(Ordering::Relaxed);
        if key_of(held) == port.get() || self.slot_of(port.get()).is_none() {
            return Announcement::Unchanged;
        }
        let now_ms = now() / 1_000_000;
        let since_move_ms = now_ms.wrapping_sub(held) & TIME_MASK;
        if self.slot_of(key_of(held)).is_some() && since_move_ms < MOVE_INTERVAL_MS {
            return Announcement::Refused;
        }
        // Fails when another worker has just moved the address.
        let moved =
            self.holder.0.compare_exchange(held, word(port, now_ms), Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() { Announcement::Moved } else { Announcement::Refused }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::tables::LinkSlot;

    const SECOND: u64 = 1_000_000_000;

    fn key(key: u32) -> PortKey {
        PortKey::new(key).unwrap()
    }

    fn slot(number: u16) -> PortSlot {
        PortSlot { link: LinkSlot(0), number }
    }

    fn address(keys: &[u32], holder: &Arc<Holder>) -> ContestedAddress {
        ContestedAddress::new(keys.iter().map(|k| (key(*k), slot(*k as u16))).collect(), Arc::clone(holder))
    }

    #[test]
    fn the_clock_is_read_only_for_a_move() {
        let address = address(&[1, 2], &Arc::default());
        assert_eq!(address.announce(key(1), || SECOND), Announcement::Moved);
        let not_read = || unreachable!("no address moves");
        assert_eq!(address.announce(key(1), not_read), Announcement::Unchanged);
        assert_eq!(address.announce(key(3), not_read), Announcement::Unchanged);
        assert_eq!(address.holder(), Some(slot(1)));
    }

    #[test]
    fn only_a_present_claimant_is_the_holder() {
        let holder = Arc::default();
        let (all, without) = (address(&[3, 1, 2], &holder), address(&[2, 3], &holder));
        assert_eq!(all.holder(), None);
        assert_eq!(all.announce(key(1), || SECOND), Announcement::Moved);
        assert_eq!(without.holder(), None);
        assert_eq!(all.holder(), Some(slot(1)));
        assert_eq!(without.announce(key(3), || SECOND + 1), Announcement::Moved, "without a wait");
        assert_eq!(all.holder(), Some(slot(3)));
        assert_eq!(all.announce(key(1), || SECOND + 2), Announcement::Refused);
    }

    #[test]
    fn of_workers_that_announce_at_once_one_moves_it() {
        let address = address(&[1, 2, 3, 4], &Arc::default());
        for round in 1..200_u64 {
            let moved = thread::scope(|scope| {
                let announce = |port| address.announce(key(port), || round * SECOND);
                let threads: Vec<_> = (1..=4).map(|port| scope.spawn(move || announce(port))).collect();
                let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
                outcomes.filter(|outcome| *outcome == Announcement::Moved).count()
            });
            assert_eq!(moved, 1, "round {round}");
            assert!(address.holder().is_some());
        }
    }
}
