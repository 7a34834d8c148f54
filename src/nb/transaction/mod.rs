//! The checks of a transaction for writers: the same rules for every store.
//!
//! A store runs [`run`] inside its own transaction, on its uncommitted state, and commits if it returns `Ok`.
//! So two transactions that are valid only separately are never both committed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::complete;
use super::{Effect, NbError, Op, RecordError, RecordId, Table};

/// A query for records by the value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'a> {
    /// The field `unique_key` of any table.
    UniqueKey(u64),
    /// The field `parent` of segmentations.
    Parent(&'a str),
    /// The fields `parent` and `segmentation_id` of segmentations.
    Tag(&'a str, u64),
    /// The field `port` of segmentations.
    Port(&'a str),
}

/// The state of a store inside a transaction that is not committed yet.
pub(super) trait State {
    /// The record with the changes of the transaction so far.
    fn get(&self, record: &RecordId) -> Result<Option<Value>, NbError>;
    /// The records of a table that match, with the changes of the transaction so far.
    fn find(&self, table: Table, by: By<'_>) -> Result<Vec<(String, Value)>, NbError>;
    /// Inserts or replaces a record.
    fn put(&mut self, record: &RecordId, json: &Value) -> Result<(), NbError>;
    fn delete(&mut self, record: &RecordId) -> Result<(), NbError>;
    /// The highest unique key of a table that was ever used, 0 at first.
    fn last_key(&self, table: Table) -> Result<u64, NbError>;
    fn set_last_key(&mut self, table: Table, key: u64) -> Result<(), NbError>;
}

/// The reason to stop a transaction: a rule about a record, which [`run`] names, or an error of the store.
pub(super) enum Stop {
    Record(RecordError),
    Store(NbError),
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<NbError> for Stop {
    fn from(error: NbError) -> Self {
        Self::Store(error)
    }
}

/// Performs `ops` on `state`, then checks their common result. Returns the effect on each record.
///
/// # Errors
/// [`NbError::Rejected`], [`NbError::KeysExhausted`], and the errors of `state`, which must be discarded
/// then.
pub(super) fn run(state: &mut dyn State, ops: Vec<Op>) -> Result<Vec<(RecordId, Effect)>, NbError> {
    let mut touched = BTreeMap::new();
    for (index, op) in ops.into_iter().enumerate() {
        let about = about(&op);
        let (record, before) = perform(state, op).map_err(|stop| rejection(stop, index, about))?;
        touched.entry(record).or_insert(Touched { op: index, before }).op = index;
    }
    let mut touched: Vec<_> = touched.into_iter().collect();
    touched.sort_by_key(|(_, touched)| touched.op);
    let mut effects = Vec::with_capacity(touched.len());
    for (record, Touched { op, before }) in touched {
        let now = state.get(&record)?;
        let effect = Effect::of(before.as_ref(), now.as_ref());
        verify(state, &record, now.as_ref(), &before.unwrap_or_default())
            .map_err(|stop| rejection(stop, op, record.to_string()))?;
        effects.push((record, effect));
    }
    Ok(effects)
}

/// A record that the transaction changed.
struct Touched {
    /// The position of the last operation on the record.
    op: usize,
    /// The record before the first operation, if it existed.
    before: Option<Value>,
}

/// Allocates the next unique key of a table.
///
/// # Errors
/// [`NbError::Keyless`], [`NbError::KeysExhausted`], and the errors of `state`.
pub(super) fn allocate(state: &mut dyn State, table: Table) -> Result<u64, NbError> {
    if !table.is_keyed() {
        return Err(NbError::Keyless(table));
    }
    let mut key = state.last_key(table)? + 1;
    // Other writers of a shared store may have used keys without counting them.
    while !state.find(table, By::UniqueKey(key))?.is_empty() {
        key += 1;
    }
    if key > i32::MAX as u64 {
        return Err(NbError::KeysExhausted(table));
    }
    state.set_last_key(table, key)?;
    Ok(key)
}

fn rejection(stop: Stop, op: usize, about: String) -> NbError {
    match stop {
        Stop::Record(reason) => NbError::Rejected { op, about, reason },
        Stop::Store(error) => error,
    }
}

fn about(op: &Op) -> String {
    match op {
        Op::Create { table, json } | Op::Put { table, json } => {
            match json.get("id").and_then(Value::as_str) {
                Some(id) => format!("{table} {id}"),
                None => table.to_string(),
            }
        }
        Op::Delete { table, id } => format!("{table} {id}"),
    }
}

/// Performs `op`. Returns the record and its state before.
fn perform(state: &mut dyn State, op: Op) -> Result<(RecordId, Option<Value>), Stop> {
    let (table, mut json, must_be_new) = match op {
        Op::Create { table, json } => (table, json, true),
        Op::Put { table, json } => (table, json, false),
        Op::Delete { table, id } => {
            let record = RecordId { table, id };
            let old = state.get(&record)?;
            if old.is_none() {
                return Err(RecordError::Absent(record).into());
            }
            state.delete(&record)?;
            return Ok((record, old));
        }
    };
    let record = RecordId { table, id: complete(table, &mut json)? };
    let old = state.get(&record)?;
    if must_be_new && old.is_some() {
        return Err(RecordError::Exists.into());
    }
    settle_key(state, table, &mut json, old.as_ref())?;
    if table.is_versioned() {
        settle_version(&mut json, old.as_ref());
    }
    if old.as_ref() != Some(&json) {
        state.put(&record, &json)?;
    }
    Ok((record, old))
}

/// A record keeps its key, or is given one when it is new. A key that the writer chose is never allocated
/// later.
fn settle_key(
    state: &mut dyn State,
    table: Table,
    json: &mut Value,
    old: Option<&Value>,
) -> Result<(), NbError> {
    if !table.is_keyed() {
        return Ok(());
    }
    let old = old.and_then(key_of);
    match key_of(json) {
        Some(given) if Some(given) == old => {}
        Some(given) => {
            if given > state.last_key(table)? {
                state.set_last_key(table, given)?;
            }
        }
        None => {
            let key = old.map_or_else(|| allocate(state, table), Ok)?;
            json["unique_key"] = key.into();
        }
    }
    Ok(())
}

fn key_of(json: &Value) -> Option<u64> {
    json.get("unique_key").and_then(Value::as_u64)
}

/// The version is 1 at creation and grows with every change, as Dragonflow's controllers ignore a change
/// without.
fn settle_version(json: &mut Value, old: Option<&Value>) {
    let version_of = |json: &Value| json.get("version").and_then(Value::as_u64);
    let given = version_of(json);
    let Some((old, before)) = old.and_then(|old| Some((old, version_of(old)?))) else {
        json["version"] = given.unwrap_or(1).into();
        return;
    };
    json["version"] = before.into();
    let least = if *json == *old { before } else { before.saturating_add(1) };
    json["version"] = given.unwrap_or(0).max(least).into();
}

/// Checks a record that the transaction changed, and those that refer to it, against the state after all
/// operations.
///
/// A value that the record had `before` is not checked again: any other record that claims it is. For a store
/// without an index a query reads a whole table.
fn verify(state: &dyn State, record: &RecordId, now: Option<&Value>, before: &Value) -> Result<(), Stop> {
    let RecordId { table, id } = record;
    let schema = table.schema();
    let Some(json) = now else {
        return schema.check_delete.map_or(Ok(()), |check| check(state, id));
    };
    if let Some(key) = key_of(json).filter(|key| table.is_keyed() && key_of(before) != Some(*key)) {
        let owners = state.find(*table, By::UniqueKey(key))?;
        if let Some((other, _)) = owners.into_iter().find(|(other, _)| other != id) {
            return Err(RecordError::DuplicateKey { key, other }.into());
        }
    }
    schema.check_put.map_or(Ok(()), |check| check(state, id, json, before))
}

#[cfg(test)]
mod tests;
