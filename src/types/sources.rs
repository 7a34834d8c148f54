//! Addresses that a port may send from.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::mac::MacAddr;

/// A MAC address, and IP addresses that may be used with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressPair {
    /// Source address of the frames.
    pub mac: MacAddr,
    /// One IP address, or a prefix.
    pub ips: IpNet,
}

/// The source addresses that a port may use, as its record allows or forbids them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRules {
    /// The addresses that the port may send from; `None` without port security.
    pub allowed: Option<AllowedSources>,
    /// The MAC addresses in `allowed_address_pairs` that are not its own, sorted, each once. The port claims
    /// frames to these, with and without port security.
    pub pair_macs: Box<[MacAddr]>,
}

impl SourceRules {
    /// The rules of a port with the addresses `macs`; `None` when its frames need no check.
    #[must_use]
    pub fn new(macs: &[MacAddr], allowed: Option<AllowedSources>, pairs: &[AddressPair]) -> Option<Self> {
        let pair_macs: BTreeSet<_> =
            pairs.iter().map(|pair| pair.mac).filter(|mac| !macs.contains(mac)).collect();
        let rules = Self { allowed, pair_macs: pair_macs.into_iter().collect() };
        (rules.allowed.is_some() || !rules.pair_macs.is_empty()).then_some(rules)
    }
}

/// The addresses that a port with port security may send from: its own, and those in `allowed_address_pairs`.
///
/// Each MAC address among them may use the link-local IPv6 address that is derived from it (RFC 4291,
/// appendix A), because neighbour discovery and `DHCPv6` start with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSources(SmallVec<[AddressPair; 1]>);

impl AllowedSources {
    /// Combines each MAC address of the port with each IP address, and adds further pairs.
    #[must_use]
    pub fn new(macs: &[MacAddr], ips: &[IpAddr], further: &[AddressPair]) -> Self {
        let pairs = macs.iter().flat_map(|&mac| {
            // A MAC address without an IP address must be present as well.
            let link_local = ips.is_empty().then(|| mac.link_local().into());
            ips.iter().copied().chain(link_local).map(move |ip| AddressPair { mac, ips: ip.into() })
        });
        let pairs: BTreeSet<_> = pairs.chain(further.iter().copied()).collect();
        Self(pairs.into_iter().collect())
    }

    /// The MAC addresses among them, each once.
    pub fn macs(&self) -> impl Iterator<Item = MacAddr> {
        self.0.chunk_by(|a, b| a.mac == b.mac).filter_map(<[_]>::first).map(|pair| pair.mac)
    }

    /// Whether `mac` is among them.
    #[must_use]
    pub fn has(&self, mac: MacAddr) -> bool {
        self.of(mac).next().is_some()
    }

    /// Whether `mac` may use `ip`.
    #[must_use]
    pub fn allow(&self, mac: MacAddr, ip: IpAddr) -> bool {
        self.of(mac).any(|pair| pair.ips.contains(&ip) || ip == mac.link_local())
    }

    /// The pairs with `mac`, which are adjacent.
    fn of(&self, mac: MacAddr) -> impl Iterator<Item = &AddressPair> {
        let first = self.0.partition_point(|pair| pair.mac < mac);
        self.0.iter().skip(first).take_while(move |pair| pair.mac == mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: MacAddr = MacAddr::new([0xfa, 0x16, 0x3e, 0, 1, 0x66]);
    const SHARED: MacAddr = MacAddr::new([0, 0, 0x5e, 0, 1, 1]);

    fn allow(mac: MacAddr, ip: &str) -> bool {
        let further = [AddressPair { mac: SHARED, ips: "10.10.1.0/24".parse().unwrap() }];
        let own = ["10.10.0.10", "2001:db8::10"].map(|ip| ip.parse().unwrap());
        AllowedSources::new(&[OWN], &own, &further).allow(mac, ip.parse().unwrap())
    }

    #[test]
    fn a_mac_goes_with_its_own_addresses_only() {
        assert!(allow(OWN, "10.10.0.10") && allow(OWN, "2001:db8::10"));
        assert!(allow(SHARED, "10.10.1.1") && allow(SHARED, "10.10.1.254"));
        assert!(!allow(OWN, "10.10.0.11") && !allow(OWN, "10.10.1.1") && !allow(OWN, "2001:db8::11"));
        assert!(!allow(SHARED, "10.10.0.10") && !allow(SHARED, "10.10.2.1"));
        assert!(!allow(MacAddr::BROADCAST, "10.10.0.10"));
    }

    #[test]
    fn each_mac_has_its_link_local_address() {
        assert!(allow(OWN, "fe80::f816:3eff:fe00:166") && allow(SHARED, "fe80::200:5eff:fe00:101"));
        assert!(!allow(OWN, "fe80::200:5eff:fe00:101"));
    }

    #[test]
    fn a_pair_of_another_mac_is_claimed_and_one_of_the_ports_own_is_not() {
        let pair = |mac, ip: &str| AddressPair { mac, ips: ip.parse().unwrap() };
        let own = pair(OWN, "10.10.0.50/32");
        let shared = ["10.10.1.1/32", "10.10.1.2/32"].map(|ip| pair(SHARED, ip));
        assert_eq!(SourceRules::new(&[OWN], None, &[own]), None);
        let rules = SourceRules::new(&[OWN], None, &[own, shared[0], shared[1]]).unwrap();
        assert_eq!(*rules.pair_macs, [SHARED]);
        assert!(SourceRules::new(&[OWN], Some(AllowedSources::new(&[OWN], &[], &[])), &[]).is_some());
    }

    #[test]
    fn a_port_without_ip_addresses_has_its_mac() {
        let sources = AllowedSources::new(&[OWN], &[], &[]);
        assert!(sources.has(OWN) && !sources.has(SHARED));
    }

    #[test]
    fn each_mac_is_listed_once() {
        let further = [AddressPair { mac: SHARED, ips: "10.10.1.0/24".parse().unwrap() }];
        let own = ["10.10.0.10", "2001:db8::10"].map(|ip| ip.parse().unwrap());
        assert_eq!(AllowedSources::new(&[OWN], &own, &further).macs().collect::<Vec<_>>(), [SHARED, OWN]);
    }
}
