//! The northbound DB in etcd, with Dragonflow's keys.
//!
//! Requires etcd 3.4 or later (answers to progress requests of watches). With access control the user's role
//! needs permission to read the keys from `PREFIX/activeport/` to `PREFIX/sfc_portpairgroup0`, or all of
//! `PREFIX/`; a writer needs permission to write the same, and `PREFIX/unique_key/` and `PREFIX/trunkpath/`.

mod address;
mod cluster;
mod error;
mod history;
mod layout;
mod read;
mod reports;
mod transact;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::address::Address;
use self::cluster::Cluster;
use self::history::History;
use self::layout::Layout;
pub(super) use self::reports::Leased;
use super::freshness::Freshness;
use super::{
    ChangeSet, Committed, NbError, NorthboundDb, Op, Record, RecordId, Revision, Snapshot, Table, transaction,
};

#[derive(Debug, Clone)]
pub(super) struct Etcd {
    cluster: Arc<Cluster>,
    layout: Layout,
    freshness: Freshness,
    history: History,
}

impl Etcd {
    /// Parses the URL and reads its files; the first operation connects.
    pub fn open(url: &str) -> Result<Self, NbError> {
        let address = Address::parse(url)?;
        let layout = Layout::new(address.prefix.clone());
        let cluster = Arc::new(Cluster::new(address)?);
        Ok(Self { cluster, layout, freshness: Freshness::default(), history: History::default() })
    }
}

#[async_trait]
impl NorthboundDb for Etcd {
    async fn snapshot(&self) -> Result<Snapshot, NbError> {
        let started = Instant::now();
        let snapshot = self.read_all().await?;
        self.freshness.confirm(started);
        Ok(snapshot)
    }

    async fn list(&self, table: Table) -> Result<Vec<Record>, NbError> {
        self.read_table(table).await
    }

    async fn get(&self, table: Table, id: &str) -> Result<Option<Record>, NbError> {
        let record = RecordId { table, id: id.to_owned() };
        let found = self.read_one(&record, 0).await.map_err(|failure| self.cluster.named(failure.error))?;
        Ok(found.map(|(record, _)| record))
    }

    fn watch(&self, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>> {
        watch::watch(self.clone(), after)
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<Committed, NbError> {
        let (effects, revision) = self.write(|state| transaction::run(state, ops.clone())).await?;
        Ok(Committed { revision, effects })
    }

    async fn allocate_unique_key(&self, table: Table) -> Result<u32, NbError> {
        let (key, _) = self.write(|state| transaction::allocate(state, table)).await?;
        u32::try_from(key).map_err(|_| NbError::KeysExhausted(table))
    }

    fn last_failure(&self) -> Option<String> {
        self.cluster.last_failure()
    }

    fn confirmed(&self) -> Option<Instant> {
        self.freshness.last()
    }
}
