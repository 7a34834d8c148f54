//! Slots: small numbers that are the places of entries in [`Tables`](super::Tables).

/// Number of a worker, from 0.
pub type WorkerId = usize;

/// Maximum number of workers: the number of CPUs in the C library's `cpu_set_t`.
pub const MAX_WORKERS: usize = 1024;

/// The place of a link in [`Tables`](super::Tables), the same from its opening to its closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkSlot(pub u16);

impl LinkSlot {
    /// The number of values that a slot can have.
    pub const COUNT: usize = 1 << u16::BITS;

    /// No link has this slot.
    const CONTESTED: Self = Self(u16::MAX);
}

/// The place of a port in [`Tables`](super::Tables), the same as long as the port belongs to the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSlot {
    /// The link that carries it.
    pub link: LinkSlot,
    /// Number of the port on the link; [`LINK_OWNER`] is the port that owns it.
    pub number: u16,
}

impl PortSlot {
    /// A place that no port and no contested address has.
    pub(crate) const NONE: Self = Self { link: LinkSlot::CONTESTED, number: u16::MAX };

    /// The place of an address that several ports claim, by its number in the network.
    pub(super) const fn contested(number: u16) -> Self {
        Self { link: LinkSlot::CONTESTED, number }
    }

    /// Whether it stands for the holder of an address that several ports claim,
    /// [`Network::contested_at`](super::Network::contested_at) it.
    #[inline]
    #[must_use]
    pub const fn is_contested(self) -> bool {
        self.link.0 == LinkSlot::CONTESTED.0
    }
}

/// The number of the port that owns a link, the source of its untagged frames.
pub const LINK_OWNER: u16 = 0;

/// The place of a network in [`Tables`](super::Tables), the same as long as it has a port here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkSlot(pub u32);
