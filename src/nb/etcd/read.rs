//! Reads of any number of records at one revision.

use std::sync::Arc;

use etcd_client::{Client, Error, GetOptions, GetResponse, KeyValue};

use super::error::{EtcdError, Failure, Remedy};
use super::history::{Followed, Witness};
use super::layout::Range;
use super::store::Etcd;
use crate::nb::{NbError, Record, RecordId, Revision, Snapshot, Table};

/// Number of records in one request: some megabytes.
const PAGE: i64 = 5_000;
/// The largest accepted answer in bytes. A page of records of the largest size that etcd accepts has about
/// this size.
pub(super) const LONGEST_ANSWER: usize = 1 << 30;
/// The number of times that a read starts over because the history was compacted meanwhile.
const COMPACTIONS: u32 = 3;

/// A record and the revision of its last change.
pub(super) type Dated = (Record, i64);

impl Etcd {
    /// Reads all tables at one revision.
    pub(super) async fn read_all(&self) -> Result<Snapshot, NbError> {
        let mut left = COMPACTIONS;
        loop {
            match self.read_range(self.layout.tables(), 0).await {
                Ok((revision, dated)) => {
                    self.history.set(self.beginning(revision, &dated));
                    let mut records: Vec<_> = dated.into_iter().map(|(record, _)| record).collect();
                    records.sort_by(|a, b| (a.table, &a.id).cmp(&(b.table, &b.id)));
                    return Ok(Snapshot { revision: Revision(revision.cast_unsigned()), records });
                }
                Err(Failure { error: EtcdError::Compacted, .. }) if left > 0 => left -= 1,
                Err(failure) => return Err(self.cluster.named(failure.error)),
            }
        }
    }

    /// The point in the history at which a snapshot was read.
    fn beginning(&self, revision: i64, dated: &[Dated]) -> Followed {
        let witness = dated.iter().max_by_key(|(_, written)| written).map(|(record, written)| {
            let record = RecordId { table: record.table, id: record.id.clone() };
            Witness { key: self.layout.record(&record), written: *written }
        });
        Followed { witness, ..Followed::at(revision) }
    }

    /// Reads a table, ordered by id.
    pub(super) async fn read_table(&self, table: Table) -> Result<Vec<Record>, NbError> {
        let read = self.read_range(self.layout.table(table), 0).await;
        let (_, dated) = read.map_err(|failure| self.cluster.named(failure.error))?;
        Ok(dated.into_iter().map(|(record, _)| record).collect())
    }

    /// Reads the records of a range at a revision, 0 for the newest. Returns the revision, too.
    pub(super) async fn read_range(
        &self,
        (first, end): Range,
        mut revision: i64,
    ) -> Result<(i64, Vec<Dated>), Failure> {
        let mut pages = Vec::new();
        let mut next = first;
        loop {
            let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE).with_revision(revision);
            let mut answer = self.fetch(next.clone(), options).await?;
            revision = if revision == 0 { revision_of(&answer) } else { revision };
            let pairs = answer.take_kvs();
            let last = pairs.last().filter(|_| answer.more()).map(|pair| [pair.key(), b"\0"].concat());
            // Parsed on another thread while the next page is read.
            let layout = self.layout.clone();
            let dated = move |pair: &KeyValue| Some((layout.read(pair)?, pair.mod_revision()));
            pages.push(tokio::task::spawn_blocking(move || {
                pairs.iter().filter_map(dated).collect::<Vec<_>>()
            }));
            match last {
                Some(key) => next = key,
                None => break,
            }
        }
        let mut all = Vec::new();
        for page in pages {
            let page = page.await.map_err(|error| Failure {
                error: EtcdError::Other(format!("reading was given up: {error}")),
                remedy: Remedy::None,
            })?;
            all.extend(page);
        }
        Ok((revision, all))
    }

    pub(super) async fn read_one(&self, record: &RecordId, revision: i64) -> Result<Option<Dated>, Failure> {
        let options = GetOptions::new().with_revision(revision);
        let answer = self.fetch(self.layout.record(record).into(), options).await?;
        Ok(answer.kvs().first().and_then(|pair| Some((self.layout.read(pair)?, pair.mod_revision()))))
    }

    pub(super) async fn fetch(&self, key: Vec<u8>, options: GetOptions) -> Result<GetResponse, Failure> {
        let (answer, _) = self.cluster.request(|client| get(client, key.clone(), options.clone())).await?;
        Ok(answer)
    }
}

/// Sends one request to one server.
pub(super) async fn get(
    client: Arc<Client>,
    key: Vec<u8>,
    options: GetOptions,
) -> Result<GetResponse, Error> {
    client.kv_client().max_decoding_message_size(LONGEST_ANSWER).get(key, Some(options)).await
}

/// The revision of the store at the time of the answer.
pub(super) fn revision_of(answer: &GetResponse) -> i64 {
    answer.header().map_or(0, etcd_client::ResponseHeader::revision)
}
