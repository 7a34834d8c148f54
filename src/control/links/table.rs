//! All links of a namespace, found by index, name or alias.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::link::Link;
use crate::types::IfIndex;

/// The links of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    all: BTreeMap<IfIndex, Arc<Link>>,
    by_name: BTreeMap<String, BTreeSet<IfIndex>>,
    by_alias: BTreeMap<String, BTreeSet<IfIndex>>,
    /// The addresses of the host on each link, beyond link-local ones.
    addresses: BTreeMap<IfIndex, BTreeSet<IpAddr>>,
}

impl Links {
    /// The link with this index.
    #[must_use]
    pub fn get(&self, ifindex: IfIndex) -> Option<&Link> {
        self.all.get(&ifindex).map(Arc::as_ref)
    }

    /// The link with this index, for another thread.
    #[must_use]
    pub fn get_shared(&self, ifindex: IfIndex) -> Option<Arc<Link>> {
        self.all.get(&ifindex).cloned()
    }

    /// The links, by index.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.all.values().map(Arc::as_ref)
    }

    /// The link of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Link> {
        self.by_name.get(name).and_then(BTreeSet::first).and_then(|ifindex| self.get(*ifindex))
    }

    /// The links with this alias, by index.
    pub fn with_alias(&self, alias: &str) -> impl Iterator<Item = &Link> {
        self.by_alias.get(alias).into_iter().flatten().filter_map(|ifindex| self.get(*ifindex))
    }

    /// An address of the host on the link, beyond link-local ones, which every link has.
    #[must_use]
    pub fn address_of(&self, ifindex: IfIndex) -> Option<IpAddr> {
        self.addresses.get(&ifindex)?.first().copied()
    }

    /// Adds an address of the host.
    pub fn add_address(&mut self, ifindex: IfIndex, address: IpAddr) {
        let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        if !is_link_local {
            self.addresses.entry(ifindex).or_default().insert(address);
        }
    }

    /// Removes an address of the host.
    pub fn remove_address(&mut self, ifindex: IfIndex, address: IpAddr) {
        if let Some(addresses) = self.addresses.get_mut(&ifindex) {
            addresses.remove(&address);
        }
    }

    /// Adds a link, or replaces the one with its index.
    pub fn insert(&mut self, link: Link) {
        self.remove_link(link.ifindex);
        self.by_name.entry(link.name.clone()).or_default().insert(link.ifindex);
        if let Some(alias) = &link.alias {
            self.by_alias.entry(alias.clone()).or_default().insert(link.ifindex);
        }
        self.all.insert(link.ifindex, Arc::new(link));
    }

    /// Removes the link with this index, if there is one, with its addresses.
    pub fn remove(&mut self, ifindex: IfIndex) {
        self.addresses.remove(&ifindex);
        self.remove_link(ifindex);
    }

    fn remove_link(&mut self, ifindex: IfIndex) {
        let Some(link) = self.all.remove(&ifindex) else { return };
        let names = [(&mut self.by_name, Some(&link.name)), (&mut self.by_alias, link.alias.as_ref())];
        for (index, name) in names {
            let Some(name) = name else { continue };
            if let Some(found) = index.get_mut(name) {
                found.remove(&ifindex);
                if found.is_empty() {
                    index.remove(name);
                }
            }
        }
    }

    /// Sets the numbers of queues in use of a link. Returns whether the number of RX queues has changed.
    pub fn set_queue_counts(&mut self, ifindex: IfIndex, rx: u16, tx: u16) -> bool {
        let Some(link) = self.all.get_mut(&ifindex).map(Arc::make_mut) else { return false };
        let changed = link.rx_queues != rx;
        (link.rx_queues, link.tx_queues) = (rx, tx);
        changed
    }
}

impl FromIterator<Link> for Links {
    fn from_iter<T: IntoIterator<Item = Link>>(links: T) -> Self {
        let mut all = Self::default();
        links.into_iter().for_each(|link| all.insert(link));
        all
    }
}
