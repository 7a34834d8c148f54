//! An index: ids by a key that several records may share.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use crate::types::Id;

/// Rebuilds a map from its entries, which frees the memory that it holds in reserve.
pub(crate) fn compact<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

/// A set of ids for each key; keys without ids are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index<K>(BTreeMap<K, Ids>);

/// Most keys have one id, which has a variant of its own because a set takes hundreds of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ids {
    One(Id),
    /// Two ids or more.
    #[allow(clippy::box_collection, reason = "a third off the size of the usual case")]
    Many(Box<BTreeSet<Id>>),
}

impl Ids {
    fn iter(&self) -> impl Iterator<Item = &Id> {
        let (one, many) = match self {
            Self::One(id) => (Some(id), None),
            Self::Many(ids) => (None, Some(ids.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn insert(&mut self, id: Id) {
        match self {
            Self::Many(ids) => drop(ids.insert(id)),
            Self::One(first) if *first == id => {}
            Self::One(first) => *self = Self::Many(Box::new(BTreeSet::from([first.clone(), id]))),
        }
    }

    /// Removes an id. Returns whether none is left.
    fn remove(&mut self, id: &str) -> bool {
        match self {
            Self::One(only) => only == id,
            Self::Many(ids) => {
                ids.remove(id);
                if let (1, Some(only)) = (ids.len(), ids.first().cloned()) {
                    *self = Self::One(only);
                }
                false
            }
        }
    }
}

impl<K: Ord> Default for Index<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Index<K> {
    pub(super) fn insert(&mut self, key: K, id: Id) {
        match self.0.get_mut(&key) {
            Some(ids) => ids.insert(id),
            None => drop(self.0.insert(key, Ids::One(id))),
        }
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, id: &str)
    where
        K: Borrow<Q>,
    {
        if self.0.get_mut(key).is_some_and(|ids| ids.remove(id)) {
            self.0.remove(key);
        }
    }

    /// Frees the memory that the index holds in reserve.
    pub(super) fn compact(&mut self) {
        compact(&mut self.0);
        for ids in self.0.values_mut() {
            if let Ids::Many(many) = ids {
                **many = std::mem::take(&mut **many).into_iter().collect();
            }
        }
    }

    /// All ids, in the order of their keys.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Id> {
        self.0.values().flat_map(Ids::iter)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids under `key`, in ascending order.
    pub(super) fn get<'s, Q: Ord + ?Sized>(&'s self, key: &Q) -> impl Iterator<Item = &'s Id> + use<'s, K, Q>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flat_map(Ids::iter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_ids_for_each_key(steps in prop::collection::vec((0..3_u8, 0..4_u8, any::<bool>()), 0..40)) {
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            for (key, id, there) in steps {
                let text = id.to_string();
                if there {
                    index.insert(key, Id::from(text.as_str()));
                    model.insert((key, text));
                } else {
                    index.remove(&key, &text);
                    model.remove(&(key, text));
                }
                for key in 0..3 {
                    let found: Vec<_> = index.get(&key).map(ToString::to_string).collect();
                    let wanted: Vec<_> = model.iter().filter(|held| held.0 == key).map(|held| held.1.clone()).collect();
                    prop_assert_eq!(found, wanted);
                }
                prop_assert_eq!(index.is_empty(), model.is_empty());
            }
        }
    }
}
