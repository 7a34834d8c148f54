//! The records of one kind: typed rows, their indexes, and the invalid ones.

use std::collections::BTreeMap;

use super::Claims;
use super::index::{Index, compact};
use super::rows::{Affected, Row, Table};
use crate::types::{Claim, Id, Problem};

/// The rows of one kind by id, with the indexes that the kind declares. A record that cannot be parsed has a
/// problem in place of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Collection<R: Row> {
    rows: BTreeMap<Id, R>,
    invalid: BTreeMap<Id, Problem>,
    keys: Claims<R::Key>,
    /// One for each entry of [`Row::INDEXES`].
    indexes: Vec<Index<Id>>,
}

impl<R: Row> Default for Collection<R> {
    fn default() -> Self {
        let indexes = R::INDEXES.iter().map(|_| Index::default()).collect();
        Self { rows: BTreeMap::new(), invalid: BTreeMap::new(), keys: Claims::default(), indexes }
    }
}

impl<R: Row> Collection<R> {
    pub(super) const fn rows(&self) -> &BTreeMap<Id, R> {
        &self.rows
    }

    /// Inserts or replaces a row, and returns the one that it replaces.
    pub(super) fn insert(&mut self, row: R, affected: &mut Affected) -> Option<R> {
        let id = row.id().clone();
        let before = self.rows.get(&id);
        if let Some(key) = before.and_then(R::key).filter(|key| row.key() != Some(*key)) {
            let heir = self.keys.remove_and_pass_on(&key, &id);
            affected.extend(heir.map(|heir| (R::TABLE, heir)));
        }
        if let Some(key) = row.key() {
            self.keys.insert(key, id.clone());
        }
        for (index, ids) in self.indexes.iter_mut().zip(R::INDEXES) {
            let (old, new) = (before.map_or(&[][..], ids), ids(&row));
            if old != new {
                for old in old {
                    index.remove(old, &id);
                }
                for new in new {
                    index.insert(new.clone(), id.clone());
                }
            }
        }
        self.rows.insert(id, row)
    }

    /// Removes a row and returns it.
    pub(super) fn remove(&mut self, id: &Id, affected: &mut Affected) -> Option<R> {
        let row = self.rows.remove(id)?;
        for (index, ids) in self.indexes.iter_mut().zip(R::INDEXES) {
            for old in ids(&row) {
                index.remove(old, id);
            }
        }
        if let Some(key) = row.key() {
            let heir = self.keys.remove_and_pass_on(&key, id);
            affected.extend(heir.map(|heir| (R::TABLE, heir)));
        }
        Some(row)
    }

    /// The row that holds a unique key, of those that claim it.
    pub(super) fn with_key(&self, key: R::Key) -> Option<&R> {
        self.rows.get(self.keys.holder(&key)?)
    }

    /// The rows that do not hold their unique key, each with the holder.
    pub(super) fn without_key(&self) -> impl Iterator<Item = (&R, &Id)> {
        self.keys.waiting().filter_map(|(id, holder)| Some((self.rows.get(id)?, holder)))
    }

    /// The rows that an index has under `id`, by their ids. `index` is a position in [`Row::INDEXES`].
    pub(super) fn having<'s>(&'s self, index: usize, id: &str) -> impl Iterator<Item = &'s R> + use<'s, R> {
        let ids = self.indexes.get(index).map(|index| index.get(id));
        ids.into_iter().flatten().filter_map(|id| self.rows.get(id))
    }
}

/// The operations of a [`Collection`] of any kind.
pub(super) trait AnyCollection {
    fn table(&self) -> Table;
    /// The ids of all records, valid or not.
    fn ids(&self) -> Box<dyn Iterator<Item = &Id> + '_>;
    /// Whether there is a record with this id, valid or not.
    fn contains(&self, id: &str) -> bool;
    /// The invalid records, by id.
    fn invalid(&self) -> &BTreeMap<Id, Problem>;
    /// Makes the record with this id an invalid one, or no longer.
    fn set_problem(&mut self, id: &Id, problem: Option<Problem>);
    /// The unique keys that two or more rows claim, with their holders.
    fn contested(&self) -> Vec<(Claim, Id)>;
    /// Frees the memory that maps and indexes hold in reserve.
    fn compact(&mut self);
}

impl<R: Row> AnyCollection for Collection<R> {
    fn table(&self) -> Table {
        R::TABLE
    }

    fn ids(&self) -> Box<dyn Iterator<Item = &Id> + '_> {
        Box::new(self.rows.keys().chain(self.invalid.keys()))
    }

    fn contains(&self, id: &str) -> bool {
        self.rows.contains_key(id) || self.invalid.contains_key(id)
    }

    fn invalid(&self) -> &BTreeMap<Id, Problem> {
        &self.invalid
    }

    fn set_problem(&mut self, id: &Id, problem: Option<Problem>) {
        match problem {
            Some(problem) => drop(self.invalid.insert(id.clone(), problem)),
            None => drop(self.invalid.remove(id)),
        }
    }

    fn contested(&self) -> Vec<(Claim, Id)> {
        self.keys.contested().map(|(key, id)| ((*key).into(), id.clone())).collect()
    }

    fn compact(&mut self) {
        compact(&mut self.rows);
        self.keys.compact();
        self.indexes.iter_mut().for_each(Index::compact);
    }
}
