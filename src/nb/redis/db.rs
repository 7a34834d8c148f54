//! The interface of a store, for redis.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::picture::Picture;
use super::store::Redis;
use super::{key, read, transact, watch};
use crate::nb::transaction::{self, State};
use crate::nb::{
    Change, ChangeSet, Committed, NbError, NorthboundDb, Op, Record, RecordId, Revision, Snapshot, Table,
};

#[async_trait]
impl NorthboundDb for Redis {
    async fn snapshot(&self) -> Result<Snapshot, NbError> {
        let failed = |error| self.server.failed(error);
        let mut connection = self.server.connect().await?;
        let started = Instant::now();
        let mut picture = Picture::default();
        picture.revision = read::now(&mut connection).await.map_err(failed)?;
        let mut changes = Vec::new();
        read::everything(&mut connection, &mut picture, &mut changes).await.map_err(failed)?;
        let revision = picture.revision;
        self.delivered.set(Arc::new(picture));
        self.freshness.confirm(started);
        let record = |change| match change {
            Change::Put(record) => Some(record),
            Change::Delete { .. } => None,
        };
        Ok(Snapshot { revision, records: changes.into_iter().filter_map(record).collect() })
    }

    async fn list(&self, table: Table) -> Result<Vec<Record>, NbError> {
        self.records(&key::of_table(table)).await
    }

    async fn get(&self, table: Table, id: &str) -> Result<Option<Record>, NbError> {
        let record = RecordId { table, id: id.to_owned() };
        let alike = self.records(&key::of_record(&record)).await?;
        Ok(alike.into_iter().find(|record| record.id == id))
    }

    fn watch(&self, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>> {
        watch::watch(Arc::clone(&self.server), self.delivered.clone(), self.freshness.clone(), after)
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<Committed, NbError> {
        transact::check_keys(&ops)?;
        let sole = transact::sole(&ops);
        let work = |state: &mut dyn State| transaction::run(state, ops.clone());
        let (effects, revision) = transact::run(&self.server, sole.as_ref(), work).await?;
        Ok(Committed { revision, effects })
    }

    async fn allocate_unique_key(&self, table: Table) -> Result<u32, NbError> {
        let work = |state: &mut dyn State| transaction::allocate(state, table);
        let (key, _) = transact::run(&self.server, None, work).await?;
        u32::try_from(key).map_err(|_| NbError::KeysExhausted(table))
    }

    fn confirmed(&self) -> Option<Instant> {
        self.freshness.last()
    }
}
