//! All links, and quick answers to the two questions that a logical port asks.

use std::collections::{BTreeMap, BTreeSet};

use super::Link;
use crate::types::IfIndex;

/// The links of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    all: BTreeMap<IfIndex, Link>,
    by_name: BTreeMap<String, BTreeSet<IfIndex>>,
    by_alias: BTreeMap<String, BTreeSet<IfIndex>>,
}

impl Links {
    /// The link with this index.
    #[must_use]
    pub fn get(&self, ifindex: IfIndex) -> Option<&Link> {
        self.all.get(&ifindex)
    }

    /// The links, by index.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.all.values()
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

    /// Adds a link, or says what has become of it.
    pub fn insert(&mut self, link: Link) {
        self.remove(link.ifindex);
        self.by_name.entry(link.name.clone()).or_default().insert(link.ifindex);
        if let Some(alias) = &link.alias {
            self.by_alias.entry(alias.clone()).or_default().insert(link.ifindex);
        }
        self.all.insert(link.ifindex, link);
    }

    /// Takes a link away.
    pub fn remove(&mut self, ifindex: IfIndex) {
        let Some(link) = self.all.remove(&ifindex) else { return };
        let names = [(&mut self.by_name, Some(link.name)), (&mut self.by_alias, link.alias)];
        for (index, name) in names {
            let Some(name) = name else { continue };
            if let Some(found) = index.get_mut(&name) {
                found.remove(&ifindex);
                if found.is_empty() {
                    index.remove(&name);
                }
            }
        }
    }

    /// Says how many queues a link has in use. Returns whether the RX queues are others than before.
    pub fn set_queues(&mut self, ifindex: IfIndex, rx: u16, tx: u16) -> bool {
        let Some(link) = self.all.get_mut(&ifindex) else { return false };
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
