//! What the security groups of a port allow, compiled once for all ports with the same groups.

mod address_set;
mod policy;
mod rules;

use std::num::NonZeroU16;
use std::sync::Arc;

use crate::packet::datagram::Talk;
use crate::types::{Direction, GroupRule, Id};

pub use address_set::AddressSet;
pub use policy::{ConnectionPolicy, Timeouts};
use rules::Rules;

/// The place of a [`Filter`] in [`Tables`](super::Tables).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterSlot(NonZeroU16);

impl FilterSlot {
    /// The number of filters that there can be.
    pub(super) const COUNT: u32 = u16::MAX as u32 - 1;

    /// A slot that no filter has.
    const NONE: Self = Self(NonZeroU16::MAX);

    /// The slot with a number from 0 on, below [`COUNT`](Self::COUNT).
    pub(super) const fn new(number: u16) -> Self {
        Self(NonZeroU16::MIN.saturating_add(number))
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0.get() - 1
    }
}

/// The place where the connections of a port are counted, by each worker for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct QuotaSlot(pub u16);

impl QuotaSlot {
    /// The number of ports that can have one.
    pub(super) const COUNT: u32 = u16::MAX as u32;
}

/// What filters the packets of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortFilter {
    /// The rules.
    pub rules: FilterSlot,
    /// The quota of connections.
    pub quota: QuotaSlot,
}

impl PortFilter {
    /// Nothing is allowed.
    pub(super) const CLOSED: Self = Self { rules: FilterSlot::NONE, quota: QuotaSlot(u16::MAX) };
}

/// The union of the rules of some groups. Without groups, or while one of them is missing, it allows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// A number that no other filter and no earlier version of this one has, beyond one change of its rules.
    generation: u32,
    stateful: Arc<Rules>,
    stateless: Arc<Rules>,
    /// The addresses of the groups that rules name.
    sets: Box<[Arc<AddressSet>]>,
}

impl Filter {
    /// Compiles the rules of groups, without the addresses of the groups that they name. `set` returns the
    /// place of such a group in the list of [`with_sets`](Self::with_sets).
    pub(super) fn of<'a>(
        generation: u32,
        stateful: impl Iterator<Item = &'a GroupRule>,
        stateless: impl Iterator<Item = &'a GroupRule>,
        mut set: impl FnMut(&Id) -> usize,
    ) -> Self {
        let stateful = Arc::new(Rules::of(stateful, &mut set));
        let stateless = Arc::new(Rules::of(stateless, &mut set));
        Self { generation, stateful, stateless, sets: Box::default() }
    }

    /// The same rules with these address sets.
    pub(super) fn with_sets(&self, generation: u32, sets: Box<[Arc<AddressSet>]>) -> Self {
        Self { generation, sets, ..self.clone() }
    }

    /// The same rules with another number, for comparisons.
    pub(super) fn without_generation(&self) -> Self {
        Self { generation: 0, ..self.clone() }
    }

    /// The number of this version.
    #[inline]
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The first rule that allows the first packet of a conversation.
    #[must_use]
    pub fn allow(&self, direction: Direction, talk: &Talk, selector: u16) -> Option<&Id> {
        self.stateful.allow(direction, talk, selector, &self.sets)
    }

    /// The first rule of a stateless group that allows a packet, whatever came before.
    #[must_use]
    pub fn allow_stateless(&self, direction: Direction, talk: &Talk, selector: u16) -> Option<&Id> {
        self.stateless.allow(direction, talk, selector, &self.sets)
    }
}
