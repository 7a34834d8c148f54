//! Records in SQL, inside a transaction that the caller has begun.

use std::path::Path;

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::failure::failed;
use crate::nb::transaction::{By, State};
use crate::nb::{NbError, Record, RecordId, Revision, Table};

/// The uncommitted state of a transaction on `connection`.
pub(super) struct Uncommitted<'a> {
    pub connection: &'a Connection,
    pub path: &'a Path,
}

impl Uncommitted<'_> {
    fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<(), NbError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| failed(self.path, error))?;
        statement.execute(parameters).map(drop).map_err(|error| failed(self.path, error))
    }
}

impl State for Uncommitted<'_> {
    fn get(&self, record: &RecordId) -> Result<Option<Value>, NbError> {
        let found =
            get(self.connection, record.table, &record.id).map_err(|error| failed(self.path, error))?;
        Ok(found.map(|found| found.json))
    }

    fn find(&self, table: Table, by: By<'_>) -> Result<Vec<(String, Value)>, NbError> {
        let (index, field, parameters): (_, _, &[&dyn ToSql]) = match &by {
            By::UniqueKey(key) => ("unique_key", "json ->> '$.unique_key' = ?2", &[&table.name(), key]),
            By::Parent(parent) => ("parent", "json ->> '$.parent' = ?2", &[&table.name(), parent]),
            By::Tag(parent, id) => {
                let sql = "json ->> '$.parent' = ?2 AND json ->> '$.segmentation_id' = ?3";
                ("parent", sql, &[&table.name(), parent, id])
            }
            By::Port(port) => ("port", "json ->> '$.port' = ?2", &[&table.name(), port]),
        };
        let find = || {
            // The index is named because SQLite, without statistics, prefers to read the whole table.
            let sql = format!(
                "SELECT id, json FROM record INDEXED BY record_{index} WHERE tbl = ?1 AND {field} ORDER BY id"
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(parameters, |row| Ok((row.get(0)?, value(row.get(1)?))))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        find().map_err(|error| failed(self.path, error))
    }

    fn put(&mut self, record: &RecordId, json: &Value) -> Result<(), NbError> {
        let sql = "INSERT INTO record VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET json = excluded.json";
        self.execute(sql, params![record.table.name(), record.id, json.to_string()])
    }

    fn delete(&mut self, record: &RecordId) -> Result<(), NbError> {
        self.execute("DELETE FROM record WHERE tbl = ?1 AND id = ?2", params![record.table.name(), record.id])
    }

    fn last_key(&self, table: Table) -> Result<u64, NbError> {
        self.connection
            .query_row("SELECT last_key FROM counter WHERE tbl = ?1", [table.name()], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
            .map_err(|error| failed(self.path, error))
    }

    fn set_last_key(&mut self, table: Table, key: u64) -> Result<(), NbError> {
        let sql =
            "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last_key = excluded.last_key";
        self.execute(sql, params![table.name(), key])
    }
}

/// A stored text as JSON. Anything else becomes a JSON string.
pub(super) fn value(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// The revision of the last change, 0 before the first.
pub(super) fn revision(connection: &Connection) -> rusqlite::Result<Revision> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'change'";
    Ok(Revision(connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or_default()))
}

pub(super) fn get(connection: &Connection, table: Table, id: &str) -> rusqlite::Result<Option<Record>> {
    let mut statement = connection.prepare_cached("SELECT json FROM record WHERE tbl = ?1 AND id = ?2")?;
    let text = statement.query_row([table.name(), id], |row| row.get(0)).optional()?;
    Ok(text.map(|text| Record { table, id: id.to_owned(), json: value(text) }))
}

pub(super) fn list(connection: &Connection, table: Table) -> rusqlite::Result<Vec<Record>> {
    let mut statement =
        connection.prepare_cached("SELECT id, json FROM record WHERE tbl = ?1 ORDER BY id")?;
    let rows = statement
        .query_map([table.name()], |row| Ok(Record { table, id: row.get(0)?, json: value(row.get(1)?) }))?;
    rows.collect()
}
