//! How many connections each port has.

use bytemuck::Zeroable;
use bytemuck::allocation::zeroed_slice_box;

use super::entry::Entry;
use super::{Key, Opening};

/// Numbers of connections by [`QuotaSlot`](crate::tables::QuotaSlot).
#[derive(Debug)]
pub(super) struct Quotas(Box<[Count]>);

/// The connections of the port that holds a slot. Those of an earlier holder do not count, and are not given
/// back to a later one.
#[derive(Debug, Clone, Copy, Zeroable)]
struct Count {
    /// The number of the port's identity; 0 for none.
    port: u32,
    connections: u32,
}

const SLOTS: usize = 1 << u16::BITS;

impl Default for Quotas {
    fn default() -> Self {
        Self(zeroed_slice_box(SLOTS))
    }
}

impl Quotas {
    fn of(&mut self, key: &Key, slot: usize) -> Option<&mut Count> {
        self.0.get_mut(slot).filter(|count| count.port == key.port())
    }

    /// The number of connections of the port that opens one. It takes over the slot if it has not yet.
    pub(super) fn count(&mut self, opening: &Opening) -> u32 {
        let Some(count) = self.0.get_mut(usize::from(opening.quota.0)) else { return u32::MAX };
        if count.port != opening.key.port() {
            *count = Count { port: opening.key.port(), connections: 0 };
        }
        count.connections
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        if let Some(count) = self.of(&entry.key, entry.quota.0.into()) {
            count.connections += 1;
        }
    }

    pub(super) fn give_back(&mut self, entry: &Entry) {
        if let Some(count) = self.of(&entry.key, entry.quota.0.into()) {
            count.connections = count.connections.saturating_sub(1);
        }
    }
}
