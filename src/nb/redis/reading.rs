//! The data that a transaction has read, and the commit that depends on it.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use super::commit::Commit;
use super::key;
use super::picture::{self, Content, Found};
use super::read::{self, Keys};
use super::session::Server;
use crate::nb::draft::{Draft, Known, Need};
use crate::nb::{NbError, RecordId, Table};

/// A counter that each transaction of trunkpath increments, so that two transactions which checked different
/// records cannot both be committed.
const GUARD: &str = "/trunkpath/writer";

/// Data read for a transaction. Redis has no snapshots: the reads happen at different times, so the commit
/// compares all of them.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) known: Known,
    guard: Option<Vec<u8>>,
    counters: BTreeMap<Table, Option<Vec<u8>>>,
    records: BTreeMap<RecordId, Vec<Found>>,
    /// The pattern of the last SCAN, and the keys that matched.
    scanned: Option<(String, Keys)>,
}

impl Reading {
    /// Reads the guard before anything else, so that a transaction of trunkpath that commits meanwhile
    /// changes it.
    pub(super) async fn start(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        Ok(Self {
            known: Known::default(),
            guard: cmd("GET").arg(GUARD).query_async(connection).await?,
            counters: BTreeMap::new(),
            records: BTreeMap::new(),
            scanned: None,
        })
    }

    /// Reads the data that the checks require.
    pub(super) async fn read_needed(
        &mut self,
        server: &Server,
        connection: &mut MultiplexedConnection,
        need: Need,
        sole: Option<&RecordId>,
    ) -> Result<(), NbError> {
        let failed = |error| server.failed(error);
        match need {
            Need::Counter(table) => {
                let name = key::counter(table);
                let text: Option<Vec<u8>> =
                    cmd("GET").arg(&name).query_async(connection).await.map_err(failed)?;
                self.known.insert_counter(table, number(server, &name, text.as_deref())?);
                self.counters.insert(table, text);
            }
            Need::Record(record) => {
                let narrow = sole == Some(&record);
                let pattern = if narrow { key::of_record(&record) } else { key::ANY.to_owned() };
                let places = self.scan(connection, pattern).await.map_err(failed)?.remove(&record);
                let keys = places.map(|places| (record.clone(), places)).into_iter().collect();
                let mut json = None;
                self.fetch(connection, keys, |_, found| json = Some(found)).await.map_err(failed)?;
                self.known.insert_record(record, json);
            }
            Need::Table(table) => {
                let keys = self.scan(connection, key::ANY.to_owned()).await.map_err(failed)?;
                let (of_table, rest) =
                    std::mem::take(keys).into_iter().partition(|(record, _)| record.table == table);
                *keys = rest;
                let mut all = Vec::new();
                self.fetch(connection, of_table, |id, json| all.push((id, json))).await.map_err(failed)?;
                self.known.insert_table(table, all.into_iter());
            }
        }
        Ok(())
    }

    /// The keys that match, and maybe others. A SCAN goes through all keys of the server, so a transaction
    /// does at most one of all keys.
    async fn scan(
        &mut self,
        connection: &mut MultiplexedConnection,
        pattern: String,
    ) -> RedisResult<&mut Keys> {
        let known = self.scanned.take().filter(|(scanned, _)| *scanned == pattern || scanned == key::ANY);
        let (pattern, keys) = if let Some(known) = known {
            known
        } else {
            let keys = read::keys(connection, &pattern).await?;
            (pattern, keys)
        };
        Ok(&mut self.scanned.insert((pattern, keys)).1)
    }

    /// Reads the values of `keys`, and passes each record that exists to `take`.
    async fn fetch(
        &mut self,
        connection: &mut MultiplexedConnection,
        keys: Keys,
        mut take: impl FnMut(String, serde_json::Value),
    ) -> RedisResult<()> {
        let records = &mut self.records;
        let take = |record: RecordId, found: Vec<Found>| {
            if let Some(current) = picture::current(&found) {
                take(record.id.clone(), picture::record(&record, current).json);
                records.insert(record, found);
            }
        };
        read::contents(connection, keys, take).await
    }

    /// The commit that turns the data that was read into `draft`.
    pub(super) fn commit(&self, draft: &Draft<'_>) -> Commit {
        let mut commit = Commit::default();
        let found = |record| self.records.get(record).map_or(&[][..], Vec::as_slice);
        let mut relied_on = draft.examined();
        for (record, json) in draft.changes() {
            relied_on.remove(record);
            commit.write(record, found(record), json);
        }
        for (table, last) in draft.counters() {
            let read = self.counters.get(&table).cloned().flatten();
            commit.count(key::counter(table), read, last);
        }
        if commit.is_empty() {
            return commit;
        }
        for record in &relied_on {
            for (place, content) in found(record) {
                if let Content::Bytes(bytes) = content {
                    commit.check(place.key(record), Some(bytes.clone()));
                }
            }
        }
        let before = self.guard.as_deref().map(String::from_utf8_lossy);
        let before: u64 = before.and_then(|text| text.parse().ok()).unwrap_or_default();
        commit.count(GUARD.to_owned(), self.guard.clone(), before.wrapping_add(1));
        commit
    }
}

/// The number in a counter, 0 if the counter does not exist.
fn number(server: &Server, name: &str, text: Option<&[u8]>) -> Result<u64, NbError> {
    let Some(text) = text else { return Ok(0) };
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| server.error(format!("key {name} holds {text:?}: expected a whole number")))
}
