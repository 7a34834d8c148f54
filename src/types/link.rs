//! The kernel's numbers of a link and its queues.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The index of a link in its network namespace (`ip link`). A link that is removed and created again under
/// the same name has another index, unless the old one is requested, so links are compared by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IfIndex(NonZeroU32);

impl IfIndex {
    /// `None` for 0, which the kernel uses for "no link".
    #[must_use]
    pub const fn new(ifindex: u32) -> Option<Self> {
        match NonZeroU32::new(ifindex) {
            Some(ifindex) => Some(Self(ifindex)),
            None => None,
        }
    }

    /// The index as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The number of an RX and TX queue pair of a link, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueId(pub u16);

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
