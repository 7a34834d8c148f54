//! Transactions: read what the checks need, check, commit if nothing of it changed, else start over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cmd;

use super::commit::Commit;
use super::draft::Draft;
use super::picture::{self, Found};
use super::session::Server;
use super::{key, read};
use crate::nb::{NbError, Op, RecordError, RecordId, Revision, Table};

/// Rises with every transaction of ours, so that two which checked different records still notice each other.
const GUARD: &str = "trunkpath:transactions";
/// How often a transaction starts over.
const ATTEMPTS: u32 = 100;
/// How long a large commit may take.
const COMMIT_PATIENCE: Duration = Duration::from_mins(2);
/// Redis takes no longer command.
const MOST_ARGUMENTS: usize = 1_000_000;

/// What was read.
#[derive(Debug, Default)]
struct Read {
    guard: Option<Vec<u8>>,
    counters: BTreeMap<Table, Option<Vec<u8>>>,
    records: BTreeMap<RecordId, Vec<Found>>,
}

/// Runs `work` on the state of `tables` and commits what it did.
pub(super) async fn run<T>(
    server: &Server,
    tables: &BTreeSet<Table>,
    work: impl Fn(&mut Draft) -> Result<T, NbError>,
) -> Result<(T, Revision), NbError> {
    let mut connection = server.connect().await?;
    for _ in 0..ATTEMPTS {
        let (read, mut draft) = load(server, &mut connection, tables).await?;
        let done = work(&mut draft)?;
        let commit = read.commit(&draft);
        if commit.is_empty() {
            return Ok((done, read::now(&mut connection).await.map_err(|error| server.failed(error))?));
        }
        if commit.arguments() > MOST_ARGUMENTS {
            return Err(
                server.error("the transaction is too large for redis: apply it in parts of 150000 records")
            );
        }
        connection.set_response_timeout(COMMIT_PATIENCE);
        if let Some(revision) = commit.send(&mut connection).await.map_err(|error| server.failed(error))? {
            return Ok((done, revision));
        }
    }
    Err(server.error(format!("other writers were faster {ATTEMPTS} times in a row: try again")))
}

/// The tables that the checks of `ops` look at.
pub(super) fn tables(ops: &[Op]) -> BTreeSet<Table> {
    let mut tables = BTreeSet::new();
    for op in ops {
        let (table, deletes) = match op {
            Op::Create { table, .. } | Op::Put { table, .. } => (*table, false),
            Op::Delete { table, .. } => (*table, true),
        };
        tables.insert(table);
        // A segmentation names ports, and a port that one names stays.
        if table == Table::ChildPortSegmentation {
            tables.insert(Table::Lport);
        } else if table == Table::Lport && deletes {
            tables.insert(Table::ChildPortSegmentation);
        }
    }
    tables
}

/// Refuses what would give a key that is read as another record's.
pub(super) fn check_keys(ops: &[Op]) -> Result<(), NbError> {
    for (index, op) in ops.iter().enumerate() {
        let (Op::Create { table, json } | Op::Put { table, json }) = op else { continue };
        let field = |name| json.get(name).filter(|value| value.is_string());
        let refuse = |name, value, expected| {
            let about = format!("{table} {}", json["id"].as_str().unwrap_or_default());
            Err(NbError::Refused { op: index, about, reason: RecordError::bad(name, value, expected) })
        };
        if let Some(id) = field("id").filter(|id| id.as_str().is_some_and(|id| id.starts_with('.'))) {
            return refuse(
                "id",
                id,
                "a text without a dot at its start: in redis that is a part of an older key",
            );
        }
        if let Some(topic) =
            field("topic").filter(|topic| topic.as_str().is_some_and(|topic| topic.contains('}')))
        {
            return refuse("topic", topic, "a text without '}': in redis that ends the topic");
        }
    }
    Ok(())
}

async fn load(
    server: &Server,
    connection: &mut MultiplexedConnection,
    tables: &BTreeSet<Table>,
) -> Result<(Read, Draft), NbError> {
    let failed = |error| server.failed(error);
    let mut read = Read::default();
    let mut draft = Draft::default();
    // First, so that whatever of ours comes in between shows.
    read.guard = cmd("GET").arg(GUARD).query_async(connection).await.map_err(failed)?;
    for table in tables {
        if table.is_keyed() {
            let name = key::counter(*table);
            let text: Option<Vec<u8>> =
                cmd("GET").arg(&name).query_async(connection).await.map_err(failed)?;
            draft.load_key(*table, number(server, &name, text.as_deref())?);
            read.counters.insert(*table, text);
        }
        let keys = read::keys(connection, &key::of_table(*table)).await.map_err(failed)?;
        let take = |record: RecordId, found: Vec<Found>| {
            if let Some(current) = picture::current(&found) {
                draft.load(record.clone(), picture::record(&record, current).json);
                read.records.insert(record, found);
            }
        };
        read::contents(connection, keys, take).await.map_err(failed)?;
    }
    Ok((read, draft))
}

/// The number in a counter, 0 when it is not there.
fn number(server: &Server, name: &str, text: Option<&[u8]>) -> Result<u64, NbError> {
    let Some(text) = text else { return Ok(0) };
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| server.error(format!("key {name} holds {text:?}: expected a whole number")))
}

impl Read {
    /// What it takes to get from what was read to `draft`.
    fn commit(&self, draft: &Draft) -> Commit {
        let mut commit = Commit::default();
        for (record, json) in draft.touched() {
            let was = self.records.get(record).map_or(&[][..], Vec::as_slice);
            if json.is_some() || !was.is_empty() {
                commit.write(record, was, json);
            }
        }
        for (table, last) in draft.last_keys() {
            let read = self.counters.get(&table).cloned().flatten();
            if last > 0 && read.as_deref() != Some(last.to_string().as_bytes()) {
                commit.count(key::counter(table), read, last);
            }
        }
        if !commit.is_empty() {
            let before = self.guard.as_deref().map(String::from_utf8_lossy);
            let before: u64 = before.and_then(|text| text.parse().ok()).unwrap_or_default();
            commit.count(GUARD.to_owned(), self.guard.clone(), before.wrapping_add(1));
        }
        commit
    }
}
