//! Transactions: read the data that the checks require, check, commit if no other writer was faster.
//!
//! Each transaction of trunkpath writes one key ([`Layout::writer`](super::layout::Layout::writer)) and is
//! committed only if that key is unchanged since it was read. So of two such writers one reads again, and two
//! transactions that are valid only separately are never both committed. Neutron and Dragonflow compare
//! nothing; so that none of their writes is lost, the revision of each record that a check has read is
//! compared, too.
//!
//! etcd rejects a transaction of more than 128 operations, but counts those of a nested transaction
//! separately. So up to [`BRANCH`]² operations are one transaction, which is executed as a whole and arrives
//! at a watch as one revision. What exceeds that (or 1.5 MiB, etcd's other limit) is rejected before anything
//! is written: a sequence of transactions could be interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, Error, GetOptions, KeyValue, Txn, TxnOp, TxnResponse};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::error::{EtcdError, Failure, Remedy};
use super::read::revision_of;
use super::store::Etcd;
use crate::nb::draft::{Draft, Known, Need, Run};
use crate::nb::transaction::State;
use crate::nb::{NbError, Record, RecordId, Revision, Table};

/// Operations in a nested transaction, and nested transactions: half of what etcd allows (`--max-txn-ops`) by
/// default.
const BRANCH: usize = 64;
/// The time after which a transaction fails because other writers are faster.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The key that the writers compete for, as it was read.
struct Writer {
    /// Identifies the last transaction.
    token: String,
    mark: i64,
    /// The revision of the store when the key was read.
    revision: i64,
}

/// The data read for a transaction, all at one revision.
#[derive(Default)]
struct Read {
    known: Known,
    /// The revision of the last change of each key that exists.
    marks: BTreeMap<String, i64>,
}

/// A transaction that was sent and whose outcome is unknown.
struct Sent<T> {
    done: T,
    /// [`Writer::mark`] before the transaction.
    mark: i64,
    error: String,
}

/// The outcome of an attempt.
enum Outcome<T> {
    Done(T, Revision),
    Again,
    Unknown(Sent<T>),
}

impl Etcd {
    /// Runs `work` on the state of the store and commits its changes.
    pub(super) async fn write<T: Send>(
        &self,
        work: impl Fn(&mut dyn State) -> Result<T, NbError> + Send + Sync,
    ) -> Result<(T, Revision), NbError> {
        let (since, token) = (Instant::now(), Uuid::new_v4().to_string());
        let mut pause = Duration::from_millis(1);
        let mut sent: Option<Sent<T>> = None;
        loop {
            let writer = match self.read_writer().await {
                Ok(writer) => writer,
                Err(failure) => {
                    let unknown = sent.map(|sent| EtcdError::Unknown(sent.error));
                    return Err(self.cluster.named(unknown.unwrap_or(failure.error)));
                }
            };
            if let Some(sent) = sent.take() {
                if writer.token == token {
                    return Ok((sent.done, Revision(writer.mark.cast_unsigned())));
                }
                if writer.mark != sent.mark {
                    return Err(self.cluster.named(EtcdError::Unknown(sent.error)));
                }
            }
            match self.attempt(&work, &writer, &token).await? {
                Outcome::Done(done, revision) => return Ok((done, revision)),
                Outcome::Unknown(unknown) if since.elapsed() > BUSY_TIMEOUT => {
                    return Err(self.cluster.named(EtcdError::Unknown(unknown.error)));
                }
                Outcome::Unknown(unknown) => sent = Some(unknown),
                Outcome::Again if since.elapsed() > BUSY_TIMEOUT => {
                    return Err(self.cluster.named(EtcdError::Busy(BUSY_TIMEOUT.as_secs())));
                }
                Outcome::Again => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt<T: Send>(
        &self,
        work: impl Fn(&mut dyn State) -> Result<T, NbError> + Send + Sync,
        writer: &Writer,
        token: &str,
    ) -> Result<Outcome<T>, NbError> {
        let mut read = Read::default();
        let (done, mut plan) = loop {
            let need = match read.known.run(&work) {
                Run::Done(done, draft) => break (done, self.plan(&read.marks, &draft, writer)),
                Run::Rejected(error) => return Err(error),
                Run::Needs(need) => need,
            };
            match self.read_needed(&mut read, need, writer.revision).await {
                Ok(()) => {}
                Err(Failure { error: EtcdError::Compacted, .. }) => return Ok(Outcome::Again),
                Err(failure) => return Err(self.cluster.named(failure.error)),
            }
        };
        if plan.ops.is_empty() {
            return Ok(Outcome::Done(done, Revision(writer.revision.cast_unsigned())));
        }
        plan.ops.push(TxnOp::put(self.layout.writer(), token, None));
        let txn = plan.compose().map_err(|error| self.cluster.named(error))?;
        match self.cluster.request_once(|client| commit(client, txn)).await {
            Ok((answer, _)) if answer.succeeded() => {
                let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
                Ok(Outcome::Done(done, Revision(revision.cast_unsigned())))
            }
            Ok(_) | Err(Failure { remedy: Remedy::Login, .. }) => Ok(Outcome::Again),
            Err(Failure { remedy: Remedy::OtherServer, error }) => {
                Ok(Outcome::Unknown(Sent { done, mark: writer.mark, error: error.to_string() }))
            }
            Err(failure) => Err(self.cluster.named(failure.error)),
        }
    }

    async fn read_writer(&self) -> Result<Writer, Failure> {
        let answer = self.fetch(self.layout.writer().into(), GetOptions::new()).await?;
        let pair = answer.kvs().first();
        Ok(Writer {
            token: pair.map(|pair| String::from_utf8_lossy(pair.value()).into_owned()).unwrap_or_default(),
            mark: pair.map_or(0, KeyValue::mod_revision),
            revision: revision_of(&answer),
        })
    }

    /// Reads the data that the checks require.
    async fn read_needed(&self, read: &mut Read, need: Need, revision: i64) -> Result<(), Failure> {
        let Read { known, marks } = read;
        let layout = &self.layout;
        match need {
            Need::Record(record) => {
                let found = self.read_one(&record, revision).await?;
                marks.extend(found.iter().map(|(_, mark)| (layout.record(&record), *mark)));
                known.insert_record(record, found.map(|(record, _)| record.json));
            }
            Need::Counter(table) => {
                let (key, mark) = self.read_counter(table, revision).await?;
                marks.insert(layout.counter(table), mark);
                known.insert_counter(table, key);
            }
            Need::Table(table) => {
                let (_, dated) = self.read_range(layout.table(table), revision).await?;
                let records = dated.into_iter().map(|(Record { id, json, .. }, mark)| {
                    let record = RecordId { table, id };
                    marks.insert(layout.record(&record), mark);
                    (record.id, json)
                });
                known.insert_table(table, records);
            }
        }
        Ok(())
    }

    /// Reads the highest unique key, and the revision of its last change; zeroes if there is none.
    async fn read_counter(&self, table: Table, revision: i64) -> Result<(u64, i64), Failure> {
        let key = self.layout.counter(table);
        let answer = self.fetch(key.clone().into(), GetOptions::new().with_revision(revision)).await?;
        let Some(pair) = answer.kvs().first() else { return Ok((0, 0)) };
        let text = String::from_utf8_lossy(pair.value());
        let value = text.parse().map_err(|_| Failure {
            error: EtcdError::Counter { key, value: text.into_owned() },
            remedy: Remedy::None,
        })?;
        Ok((value, pair.mod_revision()))
    }

    fn plan(&self, marks: &BTreeMap<String, i64>, draft: &Draft<'_>, writer: &Writer) -> Plan {
        let layout = &self.layout;
        let same = |key: String| {
            let mark = marks.get(&key).copied().unwrap_or_default();
            Compare::mod_revision(key, CompareOp::Equal, mark)
        };
        let mut compares = vec![Compare::mod_revision(layout.writer(), CompareOp::Equal, writer.mark)];
        let mut ops = Vec::new();
        for (table, key) in draft.counters() {
            compares.push(same(layout.counter(table)));
            ops.push(TxnOp::put(layout.counter(table), key.to_string(), None));
        }
        let examined = draft.examined();
        if compares.len() + examined.len() <= BRANCH {
            compares.extend(examined.iter().map(|record| same(layout.record(record))));
        } else {
            // Too many comparisons: compares whole tables, which is coarser.
            let tables: BTreeSet<_> = examined.iter().map(|record| record.table).collect();
            compares.extend(tables.into_iter().map(|table| {
                let (first, end) = layout.table(table);
                Compare::mod_revision(first, CompareOp::Less, writer.revision + 1).with_range(end)
            }));
        }
        for (record, json) in draft.changes() {
            let key = layout.record(record);
            ops.push(match json {
                Some(json) => TxnOp::put(key, json.to_string(), None),
                None => TxnOp::delete(key, None),
            });
        }
        Plan { compares, ops }
    }
}

/// A transaction before it is sent.
struct Plan {
    compares: Vec<Compare>,
    ops: Vec<TxnOp>,
}

impl Plan {
    fn compose(self) -> Result<Txn, EtcdError> {
        let count = self.ops.len();
        if count > BRANCH * BRANCH {
            return Err(EtcdError::TooLarge(format!("{} records", count - 1)));
        }
        let ops = if count <= BRANCH {
            self.ops
        } else {
            self.ops.chunks(BRANCH).map(|branch| TxnOp::txn(Txn::new().and_then(branch))).collect()
        };
        Ok(Txn::new().when(self.compares).and_then(ops))
    }
}

async fn commit(client: Arc<Client>, txn: Txn) -> Result<TxnResponse, Error> {
    client.kv_client().txn(txn).await
}
