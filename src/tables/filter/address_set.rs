//! The addresses of the ports in a security group.

use std::array;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use crate::types::{Family, mix};

/// Addresses and prefixes, each with the number of ports that have it. One version shares its unchanged parts
/// with the next: a port more or less copies a 64th of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSet {
    parts: [Arc<Part>; PARTS],
    /// The number of different prefixes of each length.
    lengths: BTreeMap<(Family, u8), usize>,
}

type Part = HashMap<Prefix, u32, FixedState>;

const PARTS: usize = 64;

/// An address, or a prefix with zeros behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Prefix {
    family: Family,
    len: u8,
    address: u128,
}

impl Prefix {
    /// The first `len` bits of an address, which as a number has those of its family at the lower end.
    const fn of(family: Family, address: u128, len: u8) -> Self {
        Self { family, len, address: address & mask(family, len) }
    }

    /// Whether an address of the family begins with it.
    pub(super) fn contains(&self, family: Family, address: u128) -> bool {
        *self == Self::of(family, address, self.len)
    }

    const fn part(&self) -> usize {
        mix(self.address as u64, (self.address >> 64) as u64 ^ self.len as u64) as usize % PARTS
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        let address = match net.addr() {
            IpAddr::V4(address) => u32::from(address).into(),
            IpAddr::V6(address) => address.into(),
        };
        Self::of(Family::of(net.addr()), address, net.prefix_len())
    }
}

/// The mask of the first `len` bits of an address of the family.
const fn mask(family: Family, len: u8) -> u128 {
    let bits = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    let rest = bits - if len as u32 > bits { bits } else { len as u32 };
    match u128::MAX.checked_shl(rest) {
        Some(mask) => mask,
        None => 0,
    }
}

impl Default for AddressSet {
    fn default() -> Self {
        let part = Arc::<Part>::default();
        Self { parts: array::from_fn(|_| Arc::clone(&part)), lengths: BTreeMap::new() }
    }
}

impl AddressSet {
    /// Adds a prefix of a port.
    pub fn insert(&mut self, net: IpNet) {
        let prefix = Prefix::from(net);
        let Some(part) = self.parts.get_mut(prefix.part()) else { return };
        let ports = Arc::make_mut(part).entry(prefix).or_insert(0);
        *ports += 1;
        if *ports == 1 {
            *self.lengths.entry((prefix.family, prefix.len)).or_default() += 1;
        }
    }

    /// Removes a prefix of a port, which other ports may still have.
    pub fn remove(&mut self, net: IpNet) {
        let prefix = Prefix::from(net);
        let Some(part) = self.parts.get_mut(prefix.part()) else { return };
        let part = Arc::make_mut(part);
        let Some(ports) = part.get_mut(&prefix) else { return };
        *ports -= 1;
        if *ports > 0 {
            return;
        }
        part.remove(&prefix);
        let key = (prefix.family, prefix.len);
        if let Some(prefixes) = self.lengths.get_mut(&key) {
            *prefixes -= 1;
            if *prefixes == 0 {
                self.lengths.remove(&key);
            }
        }
    }

    /// Whether an address is in it. Looks once for each length of prefixes.
    #[must_use]
    pub fn contains(&self, family: Family, address: u128) -> bool {
        let lengths = self.lengths.range((family, 0)..=(family, u8::MAX));
        lengths
            .map(|((_, len), _)| Prefix::of(family, address, *len))
            .any(|prefix| self.parts.get(prefix.part()).is_some_and(|part| part.contains_key(&prefix)))
    }

    /// Number of different addresses and prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.values().sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(address: &str) -> (Family, u128) {
        let net = IpNet::from(address.parse::<std::net::IpAddr>().unwrap());
        let prefix = Prefix::from(net);
        (prefix.family, prefix.address)
    }

    fn has(set: &AddressSet, address: &str) -> bool {
        let (family, address) = number(address);
        set.contains(family, address)
    }

    #[test]
    fn an_address_is_in_the_set_as_long_as_one_port_has_it() {
        let mut set = AddressSet::default();
        let shared: IpNet = "10.0.0.9/32".parse().unwrap();
        set.insert(shared);
        set.insert(shared);
        let one_port = set.clone();
        set.remove(shared);
        assert!(has(&set, "10.0.0.9") && !has(&set, "10.0.0.8"));
        assert_ne!(set, one_port);
        set.remove(shared);
        assert!(!has(&set, "10.0.0.9"));
        assert_eq!((set, one_port.len()), (AddressSet::default(), 1));
    }

    #[test]
    fn prefixes_of_every_length_are_found_in_their_family_only() {
        let mut set = AddressSet::default();
        for net in ["10.1.0.0/16", "10.2.3.0/31", "2001:db8::/32", "::a09:9/128"] {
            set.insert(net.parse().unwrap());
        }
        let inside = ["10.1.255.1", "10.2.3.1", "2001:db8:ffff::1", "::a09:9"];
        assert!(inside.iter().all(|address| has(&set, address)));
        // An IPv6 address with the number of an IPv4 address in the set.
        let outside = ["10.2.3.2", "10.9.0.9", "2001:db9::", "::a01:1", "0.0.0.0"];
        assert_eq!(outside.iter().filter(|address| has(&set, address)).count(), 0);
    }

    #[test]
    fn zero_is_a_length() {
        let mut set = AddressSet::default();
        set.insert("::/0".parse().unwrap());
        assert!(has(&set, "ffff::1") && has(&set, "::") && !has(&set, "1.2.3.4"));
    }
}
