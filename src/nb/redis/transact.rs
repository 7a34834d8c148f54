//! Transactions: read the data that the checks require, check, commit if none of it has changed, else start
//! over.

use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::commit::Commit;
use super::read;
use super::reading::Reading;
use super::session::Server;
use crate::nb::draft::Run;
use crate::nb::transaction::State;
use crate::nb::{NbError, Op, RecordError, RecordId, Revision};

/// The number of times that a transaction starts over before it fails.
const ATTEMPTS: u32 = 100;
/// The time limit for the answer to a commit, which may be large.
const COMMIT_PATIENCE: Duration = Duration::from_mins(2);
/// The largest number of arguments of a command in Redis.
const MOST_ARGUMENTS: usize = 1_000_000;

/// Runs `work` on the state of the store and commits its changes. `sole` is the record concerned if the
/// checks read no other.
pub(super) async fn run<T: Send>(
    server: &Server,
    sole: Option<&RecordId>,
    work: impl Fn(&mut dyn State) -> Result<T, NbError> + Send + Sync,
) -> Result<(T, Revision), NbError> {
    let mut connection = server.connect().await?;
    for _ in 0..ATTEMPTS {
        let (done, commit) = prepare(server, &mut connection, sole, &work).await?;
        if commit.is_empty() {
            return Ok((done, read::now(&mut connection).await.map_err(|error| server.failed(error))?));
        }
        if commit.arguments() > MOST_ARGUMENTS {
            return Err(
                server.error("the transaction is too large for redis: apply it in parts of 100000 records")
            );
        }
        connection.set_response_timeout(COMMIT_PATIENCE);
        if let Some(revision) =
            commit.send(&mut connection).await.map_err(|error| server.outcome_unknown(error))?
        {
            return Ok((done, revision));
        }
    }
    Err(server.error(format!("other writers were faster {ATTEMPTS} times in a row: try again")))
}

async fn prepare<T>(
    server: &Server,
    connection: &mut MultiplexedConnection,
    sole: Option<&RecordId>,
    work: impl Fn(&mut dyn State) -> Result<T, NbError> + Send + Sync,
) -> Result<(T, Commit), NbError> {
    let mut reading = Reading::start(connection).await.map_err(|error| server.failed(error))?;
    loop {
        let need = match reading.known.run(&work) {
            Run::Done(done, draft) => return Ok((done, reading.commit(&draft))),
            Run::Rejected(error) => return Err(error),
            Run::Needs(need) => need,
        };
        reading.read_needed(server, connection, need, sole).await?;
    }
}

/// The record of `ops`, if its table has no rules that read other records.
pub(super) fn sole(ops: &[Op]) -> Option<RecordId> {
    let [op] = ops else { return None };
    match op {
        Op::Create { table, json } | Op::Put { table, json } if table.schema().check_put.is_none() => {
            Some(RecordId { table: *table, id: json.get("id")?.as_str()?.to_owned() })
        }
        Op::Delete { table, id } if table.schema().check_delete.is_none() => {
            Some(RecordId { table: *table, id: id.clone() })
        }
        Op::Create { .. } | Op::Put { .. } | Op::Delete { .. } => None,
    }
}

/// Rejects ids and topics whose key would be parsed as another record's.
pub(super) fn check_keys(ops: &[Op]) -> Result<(), NbError> {
    for (index, op) in ops.iter().enumerate() {
        let (Op::Create { table, json } | Op::Put { table, json }) = op else { continue };
        let field = |name| json.get(name).filter(|value| value.is_string());
        let reject = |name, value, expected| {
            let about = format!("{table} {}", json["id"].as_str().unwrap_or_default());
            Err(NbError::Rejected { op: index, about, reason: RecordError::bad(name, value, expected) })
        };
        if let Some(id) = field("id").filter(|id| id.as_str().is_some_and(|id| id.starts_with('.'))) {
            return reject(
                "id",
                id,
                "a text without a dot at its start: in redis that is a part of an older key",
            );
        }
        if let Some(topic) =
            field("topic").filter(|topic| topic.as_str().is_some_and(|topic| topic.contains('}')))
        {
            return reject("topic", topic, "a text without '}': in redis that ends the topic");
        }
    }
    Ok(())
}
