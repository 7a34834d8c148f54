//! Claims on something that at most one record can hold.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::index::Index;
use crate::types::Id;

/// The ids of the records that claim each key. A key with one claim is held by that record. The holder of a
/// contested key, with two claims or more, is kept separately and stays the holder until it gives up its
/// claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims<K> {
    claimants: Index<K>,
    /// The contested keys with their holders, if any.
    contested: BTreeMap<K, Option<Id>>,
}

impl<K: Ord> Default for Claims<K> {
    fn default() -> Self {
        Self { claimants: Index::default(), contested: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Claims<K> {
    /// Adds a claim. A key without claims is held by `id`; a key with claims keeps its holder. Returns
    /// whether the key becomes contested by this claim.
    pub(crate) fn insert(&mut self, key: K, id: Id) -> bool {
        let only = self.claimants.get(&key).next().filter(|only| **only != id);
        let is_new = only.is_some() && !self.contested.contains_key(&key);
        if let Some(only) = only.filter(|_| is_new) {
            self.contested.insert(key.clone(), Some(only.clone()));
        }
        self.claimants.insert(key, id);
        is_new
    }

    /// Removes a claim. A contested key that it held has no holder then, unless only one claim is left.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, id: &str)
    where
        K: Borrow<Q>,
    {
        self.claimants.remove(key, id);
        if self.claimants.get(key).nth(1).is_none() {
            self.contested.remove(key);
        } else {
            self.vacate(key, id);
        }
    }

    /// Removes a claim. If it held the key, the claim with the lowest id becomes the holder and is returned.
    pub(crate) fn remove_and_pass_on<Q: Ord + ?Sized>(&mut self, key: &Q, id: &str) -> Option<Id>
    where
        K: Borrow<Q>,
    {
        let held = self.holder(key).is_some_and(|holder| *holder == *id);
        self.remove(key, id);
        let heir = self.claimants.get(key).next().filter(|_| held).cloned()?;
        self.set_holder(key, Some(heir.clone()));
        Some(heir)
    }

    /// Replaces the holder of a contested key. Other keys are unaffected.
    pub(crate) fn set_holder<Q: Ord + ?Sized>(&mut self, key: &Q, holder: Option<Id>)
    where
        K: Borrow<Q>,
    {
        if let Some(entry) = self.contested.get_mut(key) {
            *entry = holder;
        }
    }

    /// Removes the holder of a contested key if that is `id`.
    pub(crate) fn vacate<Q: Ord + ?Sized>(&mut self, key: &Q, id: &str)
    where
        K: Borrow<Q>,
    {
        if let Some(holder) = self.contested.get_mut(key) {
            holder.take_if(|holder| **holder == *id);
        }
    }

    /// Whether `id`, which claims the key, is its holder or the key has none.
    pub(crate) fn is_free_for<Q: Ord + ?Sized>(&self, key: &Q, id: &str) -> bool
    where
        K: Borrow<Q>,
    {
        self.holder(key).is_none_or(|holder| *holder == *id)
    }

    pub(crate) fn holder<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&Id>
    where
        K: Borrow<Q>,
    {
        match self.contested.get(key) {
            Some(holder) => holder.as_ref(),
            None => self.claimants.get(key).next(),
        }
    }

    /// The ids of the records that claim the key, in ascending order.
    pub(crate) fn claimants<'s, Q: Ord + ?Sized>(
        &'s self,
        key: &Q,
    ) -> impl Iterator<Item = &'s Id> + use<'s, K, Q>
    where
        K: Borrow<Q>,
    {
        self.claimants.get(key)
    }

    /// The keys that are claimed, with their holders.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&K, Option<&Id>)> {
        self.claimants.keys().map(|key| (key, self.holder(key)))
    }

    /// The contested keys that have a holder, with it.
    pub(crate) fn contested(&self) -> impl Iterator<Item = (&K, &Id)> {
        self.contested.iter().filter_map(|(key, holder)| Some((key, holder.as_ref()?)))
    }

    /// The claims on contested keys that do not hold them, each with the holder.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Id, &Id)> {
        self.contested().flat_map(|(key, holder)| {
            let others = self.claimants.get(key).filter(move |id| *id != holder);
            others.map(move |id| (id, holder))
        })
    }

    /// All claims, in the order of their keys.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Id> {
        self.claimants.ids()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claimants.is_empty()
    }

    /// Frees the memory that the index holds in reserve.
    pub(super) fn compact(&mut self) {
        self.claimants.compact();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(ids: &[&str]) -> Claims<u8> {
        let mut claims = Claims::default();
        for id in ids {
            claims.insert(1, Id::from(*id));
        }
        claims
    }

    fn holder(claims: &Claims<u8>) -> Option<&str> {
        claims.holder(&1).map(Id::as_str)
    }

    #[test]
    fn the_first_holds_and_the_lowest_inherits() {
        let mut claims = claims(&["m", "z", "a", "m"]);
        assert_eq!(holder(&claims), Some("m"));
        assert_eq!(claims.remove_and_pass_on(&1, "z"), None);
        assert_eq!(holder(&claims), Some("m"));
        claims.insert(1, "z".into());
        assert_eq!(claims.remove_and_pass_on(&1, "m"), Some("a".into()));
        assert_eq!((holder(&claims), claims.contested().count()), (Some("a"), 1));
        assert_eq!(claims.remove_and_pass_on(&1, "a"), Some("z".into()));
        assert_eq!((holder(&claims), claims.contested().count()), (Some("z"), 0));
        assert_eq!(claims.remove_and_pass_on(&1, "z"), None);
        assert!(claims.is_empty() && holder(&claims).is_none());
    }

    #[test]
    fn a_contested_key_may_have_no_holder() {
        let mut claims = claims(&["b", "c", "d"]);
        claims.remove(&1, "b");
        assert_eq!((holder(&claims), claims.contested().count()), (None, 0));
        claims.set_holder(&1, Some("d".into()));
        assert_eq!(holder(&claims), Some("d"));
    }
}
