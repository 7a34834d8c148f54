//! Slots: small numbers that are the places of entries in [`Tables`](super::Tables).

use std::num::NonZeroU32;

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

    /// The number of slots that links can have. The others mark places that are not on a link of this host.
    pub const MAX_LINKS: u32 = Self::PEER.0 as u32;

    /// A slot that no link has.
    pub(super) const NONE: Self = Self::CONTESTED;

    const CONTESTED: Self = Self(u16::MAX);
    const PEER: Self = Self(u16::MAX - 1);
}

/// The place of another host in [`Tables`](super::Tables), the same as long as it is in the NB DB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerSlot(pub u16);

/// The place of a port in [`Tables`](super::Tables), the same as long as the port belongs to the link. An
/// address of a network has the place of its port; or a place that stands for another host with the port
/// ([`peer`](Self::peer)), or for the holder of a contested address.
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

    /// The place that stands for ports of another host.
    #[must_use]
    pub const fn of_peer(peer: PeerSlot) -> Self {
        Self { link: LinkSlot::PEER, number: peer.0 }
    }

    /// The host, if the place stands for one.
    #[inline]
    #[must_use]
    pub const fn peer(self) -> Option<PeerSlot> {
        if self.link.0 == LinkSlot::PEER.0 { Some(PeerSlot(self.number)) } else { None }
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
pub struct NetworkSlot(NonZeroU32);

impl NetworkSlot {
    /// The slot with a number from 0 on. The last number is no slot's.
    pub(super) const fn new(number: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(number))
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn number(self) -> usize {
        self.0.get() as usize - 1
    }
}
