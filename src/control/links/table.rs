//! All links of a namespace, found by index, name or alias.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::link::Link;
use crate::types::IfIndex;

/// The links of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    all: BTreeMap<IfIndex, Arc<Link>>,
    by_name: BTreeMap<String, BTreeSet<IfIndex>>,
    by_alias: BTreeMap<String, BTreeSet<IfIndex>>,
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

    /// Adds a link, or replaces the one with its index.
    pub fn insert(&mut self, link: Link) {
        self.remove(link.ifindex);
        self.by_name.entry(link.name.clone()).or_default().insert(link.ifindex);
        if let Some(alias) = &link.alias {
            self.by_alias.entry(alias.clone()).or_default().insert(link.ifindex);
        }
        self.all.insert(link.ifindex, Arc::new(link));
    }

    /// Removes the link with this index, if there is one.
    pub fn remove(&mut self, ifindex: IfIndex) {
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
