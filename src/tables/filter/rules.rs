//! The rules of a set of security groups.

use std::sync::Arc;

use super::address_set::{AddressSet, Prefix};
use crate::packet::datagram::Talk;
use crate::types::{Direction, Family, GroupRule, Id, Remote};

/// Rules by direction and family. What many rules have to be compared with is close together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules([List; 4]);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct List {
    heads: Vec<Head>,
    /// As many.
    tails: Vec<Tail>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    /// The lowest and the highest protocol.
    protocols: (u8, u8),
    selectors: (u16, u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tail {
    id: Id,
    remote: RemoteAddresses,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RemoteAddresses {
    All,
    Prefix(Prefix),
    /// A place in the list of address sets.
    Set(usize),
}

impl Rules {
    /// Compiles rules. `set` returns the place of a group in the list of address sets.
    pub(super) fn of<'a>(
        rules: impl Iterator<Item = &'a GroupRule>,
        mut set: impl FnMut(&Id) -> usize,
    ) -> Self {
        let mut compiled = Self::default();
        for rule in rules {
            let protocols = rule.protocol.map_or((0, u8::MAX), |protocol| (protocol, protocol));
            let remote = match &rule.remote {
                Remote::Anyone => RemoteAddresses::All,
                Remote::Prefix(net) => RemoteAddresses::Prefix(Prefix::from(*net)),
                Remote::Group(group) => RemoteAddresses::Set(set(group)),
            };
            let Some(list) = compiled.0.get_mut(place(rule.direction, rule.family)) else { continue };
            list.heads.push(Head { protocols, selectors: rule.selectors });
            list.tails.push(Tail { id: rule.id.clone(), remote });
        }
        compiled
    }

    /// The first rule that allows a packet.
    pub(super) fn allow(
        &self,
        direction: Direction,
        talk: &Talk,
        selector: u16,
        sets: &[Arc<AddressSet>],
    ) -> Option<&Id> {
        let list = self.0.get(place(direction, talk.family))?;
        let remote = match direction {
            Direction::Egress => talk.destination.address.number(),
            Direction::Ingress => talk.source.address.number(),
        };
        let heads = list.heads.iter().zip(&list.tails);
        let mut matching = heads.filter(|(head, _)| head.matches(talk.protocol, selector));
        matching.find(|(_, tail)| tail.remote.contain(talk.family, remote, sets)).map(|(_, tail)| &tail.id)
    }
}

/// The place of the list of a direction and a family.
const fn place(direction: Direction, family: Family) -> usize {
    2 * direction as usize + family as usize
}

impl Head {
    #[inline]
    const fn matches(self, protocol: u8, selector: u16) -> bool {
        let (protocols, selectors) = (self.protocols, self.selectors);
        protocols.0 <= protocol
            && protocol <= protocols.1
            && selectors.0 <= selector
            && selector <= selectors.1
    }
}

impl RemoteAddresses {
    fn contain(self, family: Family, remote: u128, sets: &[Arc<AddressSet>]) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => prefix.contains(family, remote),
            Self::Set(place) => sets.get(place).is_some_and(|set| set.contains(family, remote)),
        }
    }
}
