//! Who has a place in the tables, beyond one version of them.

use std::fmt;
use std::num::NonZeroU32;

use crate::types::{NetworkKey, PortKey};

/// The holder of a place of ports or of hosts: a later holder of the same place has another identity.
///
/// One word: the `unique_key` of a port (31 bits), or the key of a provider network with the top bit for its
/// segment on an uplink; the number of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(NonZeroU32);

const _: () = assert!(size_of::<Option<Identity>>() == 4);

impl Identity {
    const SEGMENT: NonZeroU32 = match NonZeroU32::new(1 << 31) {
        Some(bit) => bit,
        None => NonZeroU32::MIN,
    };

    /// An uplink, for its frames of no network.
    pub(super) const UPLINK: Self = Self(Self::SEGMENT);

    /// The port with this key.
    #[must_use]
    pub const fn of_port(key: PortKey) -> Self {
        Self(key.nonzero())
    }

    /// The segment of a provider network.
    pub(super) const fn of_segment(key: NetworkKey) -> Self {
        // Never saturates: a key has 31 bits.
        Self(Self::SEGMENT.saturating_add(key.get()))
    }

    /// The host with this number, which no later host gets.
    pub(super) const fn of_peer(number: NonZeroU32) -> Self {
        Self(number)
    }

    /// The word.
    pub(crate) const fn number(self) -> u32 {
        self.0.get()
    }

    /// The key of a port; `None` for a segment and for an uplink. Hosts have no ports' places.
    #[must_use]
    pub fn port(self) -> Option<PortKey> {
        PortKey::new(self.0.get()).ok()
    }

    /// The key of the network with this segment.
    #[must_use]
    pub fn segment(self) -> Option<NetworkKey> {
        NetworkKey::new(self.0.get().checked_sub(Self::SEGMENT.get())?).ok()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port(), self.segment()) {
            (Some(port), _) => write!(f, "Port({port})"),
            (None, Some(network)) => write!(f, "Segment({network})"),
            (None, None) => f.write_str("Uplink"),
        }
    }
}
