//! Ids by something that several records may share.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// A set of ids for each key; keys without ids are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index<K>(BTreeMap<K, BTreeSet<String>>);

impl<K: Ord> Default for Index<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Index<K> {
    pub(super) fn insert(&mut self, key: K, id: &str) {
        self.0.entry(key).or_default().insert(id.to_owned());
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, id: &str)
    where
        K: Borrow<Q>,
    {
        if let Some(ids) = self.0.get_mut(key) {
            ids.remove(id);
            if ids.is_empty() {
                self.0.remove(key);
            }
        }
    }

    /// All ids, in the order of their keys.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids with `key`, in their order.
    pub(super) fn get<'s, Q: Ord + ?Sized>(&'s self, key: &Q) -> impl Iterator<Item = &'s str> + use<'s, K, Q>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }
}
