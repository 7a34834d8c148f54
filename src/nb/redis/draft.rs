//! The state of a transaction before it is committed: tables in memory, with the indexes that the checks ask for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::nb::transaction::{By, State};
use crate::nb::{NbError, RecordId, Table};

/// Tables as they were read, and then as the transaction left them so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    records: BTreeMap<RecordId, Value>,
    keyed: BTreeMap<(Table, u64), BTreeSet<String>>,
    /// Segmentations by parent, and by port.
    children: BTreeMap<String, BTreeSet<String>>,
    claims: BTreeMap<String, BTreeSet<String>>,
    last_keys: BTreeMap<Table, u64>,
    touched: BTreeSet<RecordId>,
}

impl Draft {
    /// Takes a record that was read.
    pub(super) fn load(&mut self, record: RecordId, json: Value) {
        self.index(&record, &json, true);
        self.records.insert(record, json);
    }

    /// Takes a counter that was read.
    pub(super) fn load_key(&mut self, table: Table, last: u64) {
        self.last_keys.insert(table, last);
    }

    /// The records that the transaction made, changed or deleted, and what they are now.
    pub(super) fn touched(&self) -> impl Iterator<Item = (&RecordId, Option<&Value>)> {
        self.touched.iter().map(|record| (record, self.records.get(record)))
    }

    /// The last unique keys now.
    pub(super) fn last_keys(&self) -> impl Iterator<Item = (Table, u64)> {
        self.last_keys.iter().map(|(table, key)| (*table, *key))
    }

    fn index(&mut self, RecordId { table, id }: &RecordId, json: &Value, there: bool) {
        let text = |field| json.get(field).and_then(Value::as_str).map(str::to_owned);
        if let Some(key) = json.get("unique_key").and_then(Value::as_u64) {
            mark(&mut self.keyed, (*table, key), id, there);
        }
        if *table == Table::ChildPortSegmentation {
            if let Some(parent) = text("parent") {
                mark(&mut self.children, parent, id, there);
            }
            if let Some(port) = text("port") {
                mark(&mut self.claims, port, id, there);
            }
        }
    }

    fn remove(&mut self, record: &RecordId) {
        if let Some(old) = self.records.remove(record) {
            self.index(record, &old, false);
        }
        self.touched.insert(record.clone());
    }
}

fn mark<K: Ord>(index: &mut BTreeMap<K, BTreeSet<String>>, key: K, id: &str, there: bool) {
    if there {
        index.entry(key).or_default().insert(id.to_owned());
    } else if let Some(ids) = index.get_mut(&key) {
        ids.remove(id);
    }
}

impl State for Draft {
    fn get(&self, record: &RecordId) -> Result<Option<Value>, NbError> {
        Ok(self.records.get(record).cloned())
    }

    fn find(&self, table: Table, by: By<'_>) -> Result<Vec<(String, Value)>, NbError> {
        let ids = match by {
            By::UniqueKey(key) => self.keyed.get(&(table, key)),
            By::Parent(parent) | By::Tag(parent, _) => self.children.get(parent),
            By::Port(port) => self.claims.get(port),
        };
        let tag = if let By::Tag(_, tag) = by { Some(tag) } else { None };
        let found = ids.into_iter().flatten().filter_map(|id| {
            let json = self.records.get(&RecordId { table, id: id.clone() })?;
            let fits = tag.is_none_or(|tag| json["segmentation_id"] == tag);
            fits.then(|| (id.clone(), json.clone()))
        });
        Ok(found.collect())
    }

    fn put(&mut self, record: &RecordId, json: &Value) -> Result<(), NbError> {
        self.remove(record);
        self.load(record.clone(), json.clone());
        Ok(())
    }

    fn delete(&mut self, record: &RecordId) -> Result<(), NbError> {
        self.remove(record);
        Ok(())
    }

    fn last_key(&self, table: Table) -> Result<u64, NbError> {
        Ok(self.last_keys.get(&table).copied().unwrap_or_default())
    }

    fn set_last_key(&mut self, table: Table, key: u64) -> Result<(), NbError> {
        self.last_keys.insert(table, key);
        Ok(())
    }
}
