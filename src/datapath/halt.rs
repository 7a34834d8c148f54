//! The end of a packet's route before its last step.

use super::Origin;
use crate::tables::PortSlot;
use crate::types::DropReason;

/// Why the next step is not taken. `burst.rs` and `leave.rs` alone act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The packet is dropped, and counted on a port.
    Drop(Blame, DropReason),
}

/// The port on which a drop is counted: the sender or the receiver; none, if it is not in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame(pub(super) PortSlot);

impl Blame {
    /// No port that is in the tables.
    pub(super) const NO_PORT: Self = Self(PortSlot::NONE);

    /// The port, if there is one.
    #[must_use]
    pub fn port(self) -> Option<PortSlot> {
        (self != Self::NO_PORT).then_some(self.0)
    }
}

impl Halt {
    /// Drops the packet on account of `blame`.
    #[inline]
    pub(super) fn drop(blame: impl Into<Blame>, reason: impl Into<DropReason>) -> Self {
        Self::Drop(blame.into(), reason.into())
    }
}

impl From<PortSlot> for Blame {
    #[inline]
    fn from(port: PortSlot) -> Self {
        Self(port)
    }
}

impl From<Origin> for Blame {
    #[inline]
    fn from(origin: Origin) -> Self {
        Self(origin.slot())
    }
}
