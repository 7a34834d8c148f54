//! The rules of a set of security groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::address_set::{AddressSet, Prefix};
use crate::packet::datagram::Talk;
use crate::types::{Direction, Family, GroupRule, Id, Remote};

/// Rules by direction and family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules([Vec<SameRemote>; 4]);

/// The rules with one remote, which many rules share: it is looked up once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SameRemote {
    addresses: RemoteAddresses,
    ranges: Ranges,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RemoteAddresses {
    All,
    Prefix(Prefix),
    /// A place in the list of address sets.
    Set(usize),
}

/// What rules allow of protocols and ports, in pieces that do not overlap: by the first number of each its last
/// one, and the first rule that allows it. Numbers are those of [`number`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Ranges(BTreeMap<u32, (u32, Id)>);

/// A protocol with what its ports are compared with.
const fn number(protocol: u8, selector: u16) -> u32 {
    (protocol as u32) << 16 | selector as u32
}

impl Rules {
    /// Compiles rules. `set` returns the place of a group in the list of address sets.
    pub(super) fn of<'a>(
        rules: impl Iterator<Item = &'a GroupRule>,
        mut set: impl FnMut(&Id) -> usize,
    ) -> Self {
        let mut compiled = Self::default();
        for rule in rules {
            let addresses = match &rule.remote {
                Remote::Anyone => RemoteAddresses::All,
                Remote::Prefix(net) => RemoteAddresses::Prefix(Prefix::from(*net)),
                Remote::Group(group) => RemoteAddresses::Set(set(group)),
            };
            let Some(list) = compiled.0.get_mut(place(rule.direction, rule.family)) else { continue };
            ranges_of(list, addresses).allow(rule);
        }
        compiled
    }

    /// A rule that allows a packet.
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
        let number = number(talk.protocol, selector);
        list.iter().find_map(|SameRemote { addresses, ranges }| match addresses {
            RemoteAddresses::All => ranges.get(number),
            // What costs less comes first.
            RemoteAddresses::Prefix(prefix) if prefix.contains(talk.family, remote) => ranges.get(number),
            RemoteAddresses::Prefix(_) => None,
            RemoteAddresses::Set(place) => {
                let rule = ranges.get(number)?;
                sets.get(*place)?.contains(talk.family, remote).then_some(rule)
            }
        })
    }
}

/// The place of the list of a direction and a family.
const fn place(direction: Direction, family: Family) -> usize {
    2 * direction as usize + family as usize
}

/// The ranges of the rules with this remote.
fn ranges_of(list: &mut Vec<SameRemote>, addresses: RemoteAddresses) -> &mut Ranges {
    let known = list.iter().position(|same| same.addresses == addresses);
    let place = known.unwrap_or(list.len());
    if known.is_none() {
        list.push(SameRemote { addresses, ranges: Ranges::default() });
    }
    &mut list[place].ranges
}

impl Ranges {
    /// Adds what a rule allows, where no earlier one does.
    fn allow(&mut self, rule: &GroupRule) {
        let (first, last) = match rule.protocol {
            Some(protocol) => (number(protocol, rule.selectors.0), number(protocol, rule.selectors.1)),
            None => (number(0, 0), number(u8::MAX, u16::MAX)),
        };
        let mut at = first;
        while at <= last {
            let last_of_piece = if let Some((last_of_piece, _)) = self.piece_at(at) {
                *last_of_piece
            } else {
                let next = self.0.range(at..=last).next();
                let last_free = next.map_or(last, |(next, _)| next - 1);
                self.0.insert(at, (last_free, rule.id.clone()));
                last_free
            };
            at = last_of_piece + 1;
        }
    }

    fn piece_at(&self, number: u32) -> Option<&(u32, Id)> {
        let (_, piece) = self.0.range(..=number).next_back()?;
        (number <= piece.0).then_some(piece)
    }

    /// The rule that allows a number.
    fn get(&self, number: u32) -> Option<&Id> {
        self.piece_at(number).map(|(_, rule)| rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_those_of_the_first_rule_and_cover_what_any_rule_allows() {
        let rule = |id: &str, protocol, selectors| GroupRule {
            id: id.into(),
            direction: Direction::Egress,
            family: Family::Ipv4,
            protocol,
            selectors,
            remote: Remote::Anyone,
        };
        let all = (0, u16::MAX);
        let rules = [
            rule("a", Some(6), (80, 90)),
            rule("b", Some(6), (85, 100)),
            rule("c", Some(6), (0, 0)),
            rule("d", Some(6), (10, 200)),
            rule("e", Some(17), all),
            rule("f", None, all),
        ];
        let mut ranges = Ranges::default();
        let allowed = |ranges: &Ranges, protocol, selector| {
            ranges.get(number(protocol, selector)).map(ToString::to_string).unwrap_or_default()
        };
        rules[..3].iter().for_each(|rule| ranges.allow(rule));
        let found = [0, 1, 79, 80, 90, 91, 100, 101].map(|port| allowed(&ranges, 6, port));
        assert_eq!(found, ["c", "", "", "a", "a", "b", "b", ""]);
        rules[3..].iter().for_each(|rule| ranges.allow(rule));
        let found = [0, 9, 10, 80, 91, 101, 200, 201].map(|port| allowed(&ranges, 6, port));
        assert_eq!(found, ["c", "f", "d", "a", "b", "d", "d", "f"]);
        assert_eq!(
            [0, 16, 17, 18, 255].map(|protocol| allowed(&ranges, protocol, 0)),
            ["f", "f", "e", "f", "f"]
        );
        assert_eq!(allowed(&ranges, 255, u16::MAX), "f");
    }
}
