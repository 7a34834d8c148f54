//! The connections of the ports whose links a worker owns: plain memory with one writer, of fixed size.

mod entry;
mod key;
mod page;
mod quotas;
mod table;
mod tags;
mod tcp;

use std::hash::{BuildHasher, RandomState};

use crate::packet::datagram::{Talk, TcpFlags};
use crate::tables::{ConnectionPolicy, Identity, QuotaSlot, Timeouts};
use crate::types::{Direction, Phase};

pub(crate) use entry::Entry;
pub(crate) use key::Key;
use key::hash_at;
pub use page::{Connection, ConnectionPage};
use quotas::Quotas;
pub(crate) use table::Place;
use table::Table;
use tcp::Step;

/// The connections of a worker.
#[derive(Debug)]
pub(crate) struct Connections {
    table: Table,
    quotas: Quotas,
    /// Seconds of a monotonic clock: the time of this pass.
    now: u32,
    /// The place that is examined next for a connection that is over.
    sweep: u32,
}

/// Places that are examined when a quota is used up, before a connection is refused.
const SWEEP_FOR_ROOM: usize = 256;

/// A connection that is looked up soon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected(u64);

/// Why a connection is not remembered, and its packet not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The port has as many as it may have.
    Quota,
    /// The worker has.
    Table,
}

/// What a packet may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It belongs to the connection.
    Pass,
    /// It begins a new one between the same ends.
    Reopen,
    /// The connection has no such packet.
    Invalid,
}

/// A connection that a packet begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) key: Key,
    pub(crate) quota: QuotaSlot,
    pub(crate) direction: Direction,
    pub(crate) phase: Phase,
    /// Length of its first frame.
    pub(crate) bytes: usize,
    pub(crate) selector: u16,
    pub(crate) generation: u32,
}

impl Connections {
    /// Room for `capacity` connections.
    pub(crate) fn new(capacity: u32) -> Self {
        let seed = RandomState::new().hash_one(capacity);
        Self { table: Table::new(capacity, seed), quotas: Quotas::default(), now: 0, sweep: 0 }
    }

    /// Begins a pass at this second of a monotonic clock, and forgets connections that are over by then, at
    /// `places` places.
    pub(crate) fn begin_pass(&mut self, now: u32, places: usize) {
        self.now = now;
        self.forget_old(places);
    }

    fn forget_old(&mut self, places: usize) {
        for _ in 0..places {
            let Self { table, quotas, now, sweep } = self;
            if let Some((place, _)) = table.at(*sweep).filter(|(_, entry)| entry.until <= *now) {
                table.remove(place).iter().for_each(|entry| quotas.give_back(entry));
            }
            *sweep = if *sweep + 1 < table.used() { *sweep + 1 } else { 0 };
        }
    }

    /// Begins to load where the connection of a port probably is: the first of two steps.
    #[inline]
    pub(crate) fn expect(&self, port: Identity, talk: &Talk) -> Expected {
        let hash = hash_at(port, talk, self.table.seed());
        self.table.prefetch_bucket(hash);
        Expected(hash)
    }

    /// The second step, once the first has had time.
    #[inline]
    pub(crate) fn load(&self, Expected(hash): Expected) {
        self.table.prefetch_entries(hash);
    }

    /// The connection with this key, unless it is over.
    #[inline]
    pub(crate) fn find(&mut self, key: &Key) -> Option<(Place, &mut Entry)> {
        let place = self.table.find(key)?;
        let now = self.now;
        Some((place, self.table.get_mut(place).filter(|entry| entry.until > now)?))
    }

    /// Moves a connection on by a packet in this direction, in a frame of `bytes` bytes. `flags` are those of
    /// TCP.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        place: Place,
        (direction, bytes): (Direction, usize),
        flags: Option<TcpFlags>,
        timeouts: &Timeouts,
    ) -> Progress {
        let now = self.now;
        let Some(entry) = self.table.get_mut(place) else { return Progress::Invalid };
        let is_openers = direction == entry.opener;
        let step = match flags {
            Some(flags) => tcp::step(entry.phase, flags, is_openers),
            None if is_openers => Step::To(entry.phase),
            None => Step::To(Phase::Answered),
        };
        match step {
            Step::To(phase) => {
                entry.phase = phase;
                entry.touch(now, timeouts);
                entry.count(direction, bytes);
                Progress::Pass
            }
            Step::Ignore => {
                entry.count(direction, bytes);
                Progress::Pass
            }
            Step::Reopen => Progress::Reopen,
            Step::Invalid => Progress::Invalid,
        }
    }

    /// Remembers a connection, or the fragments of a packet, in place of an older one with its key.
    ///
    /// # Errors
    /// [`NoRoom`]
    pub(crate) fn open(&mut self, opening: &Opening, policy: &ConnectionPolicy) -> Result<(), NoRoom> {
        if let Some(place) = self.table.find(&opening.key) {
            self.remove(place);
        }
        if self.quotas.count(opening) >= policy.quota {
            self.forget_old(SWEEP_FOR_ROOM);
            if self.quotas.count(opening) >= policy.quota {
                return Err(NoRoom::Quota);
            }
        }
        let mut entry = Entry {
            key: opening.key,
            bytes: [0; 2],
            since: self.now,
            until: self.now,
            generation: opening.generation,
            selector: opening.selector,
            quota: opening.quota,
            phase: opening.phase,
            opener: opening.direction,
        };
        entry.touch(self.now, &policy.timeouts);
        entry.count(opening.direction, opening.bytes);
        let Self { table, quotas, now, .. } = self;
        let inserted = table.insert(entry, |entry| entry.until <= *now, |entry| quotas.give_back(entry));
        inserted.map_err(|table::Full| NoRoom::Table)?;
        quotas.take(&entry);
        Ok(())
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, place: Place) {
        if let Some(entry) = self.table.remove(place) {
            self.quotas.give_back(&entry);
        }
    }

    /// The phase of a connection that a segment with these flags begins; `None` if none does.
    pub(crate) fn phase_of_first(flags: TcpFlags) -> Option<Phase> {
        tcp::open(flags)
    }
}
