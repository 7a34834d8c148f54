//! The interface of a store, for etcd.

use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::store::Etcd;
use super::watch;
use crate::nb::{
    ChangeSet, Committed, NbError, NorthboundDb, Op, Record, RecordId, Revision, Snapshot, Table, transaction,
};

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
