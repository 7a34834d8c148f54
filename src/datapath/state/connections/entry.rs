//! What a worker knows of a connection.

use bytemuck::Zeroable;

use super::key::Key;
use crate::tables::{QuotaSlot, Timeouts};
use crate::types::{Direction, Phase};

/// A connection of a port.
#[derive(Debug, Clone, Copy, Zeroable)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// Lengths of the frames in each direction, those of egress first.
    pub(crate) bytes: [u64; 2],
    /// The second of its first packet.
    pub(crate) since: u32,
    /// The second after which it is forgotten.
    pub(crate) until: u32,
    /// Of the rules by which it was allowed last.
    pub(crate) generation: u32,
    /// What rules compare the ports of its first packet with.
    pub(crate) selector: u16,
    pub(crate) quota: QuotaSlot,
    pub(crate) phase: Phase,
    /// The direction of its first packet.
    pub(crate) opener: Direction,
}

// A million of them, with their tags, and with places that stay free, in 128 MB.
const _: () = assert!(size_of::<Entry>() == 80);

impl Entry {
    /// Counts a frame.
    #[inline]
    pub(super) fn count(&mut self, direction: Direction, bytes: usize) {
        let [egress, ingress] = &mut self.bytes;
        let sum = match direction {
            Direction::Egress => egress,
            Direction::Ingress => ingress,
        };
        *sum += bytes as u64;
    }

    /// Remembers the connection from `now` on for as long as its phase says.
    #[inline]
    pub(super) const fn touch(&mut self, now: u32, timeouts: &Timeouts) {
        let seconds = timeouts.seconds(self.phase, self.key.protocol());
        self.until = now.saturating_add(seconds);
    }
}
