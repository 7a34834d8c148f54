//! Transactions that are prepared in memory, for stores that cannot run
//! [`transaction::run`](super::transaction::run) inside a transaction of their own: the data that the checks
//! require is read, the checks run, and their result is committed if no other writer was faster.
//!
//! The checks are synchronous and the store is a server. So they run on the data that is [`Known`]; if they
//! require more, the [`Need`] is recorded and they stop, to run again after it was read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::transaction::{By, State};
use super::{NbError, RecordId, Table};

/// The data that must be read before the checks can continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    Record(RecordId),
    Table(Table),
    Counter(Table),
}

/// The number of records that are read singly before their table is read as a whole.
const SINGLES: usize = 32;

/// The data that was read of a store. The commit compares it with the store.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `None` for a record that does not exist.
    records: BTreeMap<RecordId, Option<Value>>,
    counters: BTreeMap<Table, u64>,
    tables: BTreeSet<Table>,
    index: TermIndex,
    singles: usize,
}

/// The result of running the checks on the known data.
#[derive(Debug)]
pub(super) enum Run<'a, T> {
    /// The transaction passed the checks.
    Done(T, Draft<'a>),
    /// The transaction did not pass.
    Rejected(NbError),
    /// More data must be read.
    Needs(Need),
}

impl Known {
    /// Runs `work` on the known data.
    pub fn run<T>(&self, work: impl Fn(&mut dyn State) -> Result<T, NbError>) -> Run<'_, T> {
        let mut draft = Draft::new(self);
        let done = work(&mut draft);
        match (draft.need.take(), done) {
            // Many single reads take longer than one of the whole table.
            (Some(Need::Record(record)), _) if self.singles >= SINGLES => {
                Run::Needs(Need::Table(record.table))
            }
            (Some(need), _) => Run::Needs(need),
            (None, Ok(done)) => Run::Done(done, draft),
            (None, Err(error)) => Run::Rejected(error),
        }
    }

    /// Adds a record, or its absence.
    pub fn insert_record(&mut self, record: RecordId, found: Option<Value>) {
        self.singles += 1;
        self.records.insert(record, found);
    }

    /// Adds all records of a table.
    pub fn insert_table(&mut self, table: Table, all: impl Iterator<Item = (String, Value)>) {
        for (id, json) in all {
            let record = RecordId { table, id };
            self.index.add(&record, &json);
            self.records.insert(record, Some(json));
        }
        self.tables.insert(table);
    }

    /// Adds the highest unique key of a table, 0 if it has no counter.
    pub fn insert_counter(&mut self, table: Table, key: u64) {
        self.counters.insert(table, key);
    }
}

/// The changes that a transaction makes to the known data.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    known: &'a Known,
    /// `None` for a deleted record.
    records: BTreeMap<RecordId, Option<Value>>,
    counters: BTreeMap<Table, u64>,
    index: TermIndex,
    examined: RefCell<BTreeSet<RecordId>>,
    need: RefCell<Option<Need>>,
}

/// The error that stops the checks at a [`Need`]; never returned to a caller.
#[derive(Debug, thiserror::Error)]
#[error("not read yet")]
struct NotRead;

impl<'a> Draft<'a> {
    fn new(known: &'a Known) -> Self {
        let (records, counters, index) = (BTreeMap::new(), BTreeMap::new(), TermIndex::default());
        Self { known, records, counters, index, examined: RefCell::default(), need: RefCell::default() }
    }

    /// The records that the checks requested, whether they exist or not: what the transaction depends on.
    pub fn examined(&self) -> BTreeSet<RecordId> {
        self.examined.take()
    }

    /// The records that differ from the known data, with their new values.
    pub fn changes(&self) -> impl Iterator<Item = (&RecordId, Option<&Value>)> {
        let before = |record| self.known.records.get(record).and_then(Option::as_ref);
        let now = self.records.iter().map(|(record, now)| (record, now.as_ref()));
        now.filter(move |(record, now)| *now != before(record))
    }

    /// The counters with new values.
    pub fn counters(&self) -> impl Iterator<Item = (Table, u64)> {
        self.counters.iter().map(|(table, key)| (*table, *key))
    }

    fn stop(&self, need: Need) -> NbError {
        *self.need.borrow_mut() = Some(need);
        NbError::Store { store: String::new(), source: NotRead.into() }
    }

    /// Whether no stored record can match: a key above the counter was not allocated yet. A missing counter
    /// proves nothing, as tables are restored without theirs.
    fn is_unused(&self, table: Table, by: By<'_>) -> Result<bool, NbError> {
        let By::UniqueKey(key) = by else { return Ok(false) };
        let counter = self.known.counters.get(&table).ok_or_else(|| self.stop(Need::Counter(table)))?;
        Ok((1..key).contains(counter))
    }

    fn write(&mut self, record: &RecordId, json: Option<&Value>) {
        if let Some(Some(before)) = self.records.get(record) {
            self.index.remove(record, before);
        }
        if let Some(json) = json {
            self.index.add(record, json);
        }
        self.records.insert(record.clone(), json.cloned());
    }
}

impl State for Draft<'_> {
    fn get(&self, record: &RecordId) -> Result<Option<Value>, NbError> {
        self.examined.borrow_mut().insert(record.clone());
        if let Some(written) = self.records.get(record) {
            return Ok(written.clone());
        }
        match self.known.records.get(record) {
            Some(found) => Ok(found.clone()),
            None if self.known.tables.contains(&record.table) => Ok(None),
            None => Err(self.stop(Need::Record(record.clone()))),
        }
    }

    fn find(&self, table: Table, by: By<'_>) -> Result<Vec<(String, Value)>, NbError> {
        if !self.known.tables.contains(&table) && !self.is_unused(table, by)? {
            return Err(self.stop(Need::Table(table)));
        }
        let ids: BTreeSet<_> = self.known.index.ids(table, by).chain(self.index.ids(table, by)).collect();
        let mut found = Vec::new();
        for id in ids {
            let json = self.get(&RecordId { table, id: id.clone() })?;
            found.extend(json.filter(|json| matches(by, json)).map(|json| (id.clone(), json)));
        }
        Ok(found)
    }

    fn put(&mut self, record: &RecordId, json: &Value) -> Result<(), NbError> {
        self.write(record, Some(json));
        Ok(())
    }

    fn delete(&mut self, record: &RecordId) -> Result<(), NbError> {
        self.write(record, None);
        Ok(())
    }

    fn last_key(&self, table: Table) -> Result<u64, NbError> {
        let written = self.counters.get(&table).copied();
        let known = || self.known.counters.get(&table).copied();
        written.or_else(known).ok_or_else(|| self.stop(Need::Counter(table)))
    }

    fn set_last_key(&mut self, table: Table, key: u64) -> Result<(), NbError> {
        // Read even if it is only raised: the commit compares it.
        self.last_key(table)?;
        self.counters.insert(table, key);
        Ok(())
    }
}

fn matches(by: By<'_>, json: &Value) -> bool {
    match by {
        By::UniqueKey(key) => json["unique_key"] == key,
        By::Parent(parent) => json["parent"] == parent,
        By::Tag(parent, id) => json["parent"] == parent && json["segmentation_id"] == id,
        By::Port(port) => json["port"] == port,
    }
}

/// A value by which records are indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Term {
    UniqueKey(u64),
    Parent(String),
    Port(String),
}

/// The ids of the records with each term.
#[derive(Debug, Default)]
struct TermIndex(BTreeMap<(Table, Term), BTreeSet<String>>);

impl TermIndex {
    fn terms(json: &Value) -> impl Iterator<Item = Term> {
        let text = |field: &str| json.get(field).and_then(Value::as_str).map(str::to_owned);
        let key = json.get("unique_key").and_then(Value::as_u64).map(Term::UniqueKey);
        [key, text("parent").map(Term::Parent), text("port").map(Term::Port)].into_iter().flatten()
    }

    fn add(&mut self, record: &RecordId, json: &Value) {
        for term in Self::terms(json) {
            self.0.entry((record.table, term)).or_default().insert(record.id.clone());
        }
    }

    fn remove(&mut self, record: &RecordId, json: &Value) {
        for term in Self::terms(json) {
            if let Some(ids) = self.0.get_mut(&(record.table, term)) {
                ids.remove(&record.id);
            }
        }
    }

    fn ids(&self, table: Table, by: By<'_>) -> impl Iterator<Item = &String> {
        let term = match by {
            By::UniqueKey(key) => Term::UniqueKey(key),
            By::Parent(parent) | By::Tag(parent, _) => Term::Parent(parent.to_owned()),
            By::Port(port) => Term::Port(port.to_owned()),
        };
        self.0.get(&(table, term)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
