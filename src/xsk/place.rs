//! The places that a chunk can be in.

/// Where a chunk is, as the value of an `AtomicU16`. Each socket has two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) u16);

impl Place {
    /// In the arena's queue of free chunks.
    pub(super) const FREE: Self = Self(0);
    /// In user space, owned by a [`Frame`](super::Frame).
    pub(super) const HELD: Self = Self(1);

    /// In the fill or RX ring of socket `id`.
    pub(super) const fn receiving(id: u16) -> Self {
        Self(2 + 2 * id)
    }

    /// In the TX or completion ring of socket `id`.
    pub(super) const fn transmitting(id: u16) -> Self {
        Self(3 + 2 * id)
    }
}

/// Number of chunks in each kind of place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArenaCensus {
    /// In the arena's queue of free chunks.
    pub free: usize,
    /// In user space, owned by a [`Frame`](super::Frame).
    pub held: usize,
    /// In fill and RX rings.
    pub receiving: usize,
    /// In TX and completion rings.
    pub transmitting: usize,
}

impl ArenaCensus {
    pub(super) const fn add(&mut self, place: Place) {
        match place {
            Place::FREE => self.free += 1,
            Place::HELD => self.held += 1,
            Place(ring) if ring % 2 == 0 => self.receiving += 1,
            Place(_) => self.transmitting += 1,
        }
    }
}
