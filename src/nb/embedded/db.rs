//! The interface of a store, for a SQLite file.

use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::store::Embedded;
use super::{state, watch};
use crate::nb::{
    ChangeSet, Committed, NbError, NorthboundDb, Op, Record, Revision, Snapshot, Table, transaction,
};

#[async_trait]
impl NorthboundDb for Embedded {
    async fn snapshot(&self) -> Result<Snapshot, NbError> {
        let started = Instant::now();
        let snapshot = self.read(|connection| {
            let mut records = Vec::new();
            for table in Table::ALL {
                records.append(&mut state::list(connection, *table)?);
            }
            Ok(Snapshot { revision: state::revision(connection)?, records })
        });
        let snapshot = snapshot.await?;
        self.freshness.confirm(started);
        Ok(snapshot)
    }

    async fn list(&self, table: Table) -> Result<Vec<Record>, NbError> {
        self.read(move |connection| state::list(connection, table)).await
    }

    async fn get(&self, table: Table, id: &str) -> Result<Option<Record>, NbError> {
        let id = id.to_owned();
        self.read(move |connection| state::get(connection, table, &id)).await
    }

    fn watch(&self, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>> {
        watch::watch(self.path.clone(), self.freshness.clone(), after)
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<Committed, NbError> {
        let (effects, revision) = self.write(|state| transaction::run(state, ops)).await?;
        Ok(Committed { revision, effects })
    }

    async fn allocate_unique_key(&self, table: Table) -> Result<u32, NbError> {
        let (key, _) = self.write(move |state| transaction::allocate(state, table)).await?;
        u32::try_from(key).map_err(|_| NbError::KeysExhausted(table))
    }

    fn confirmed(&self) -> Option<Instant> {
        self.freshness.last()
    }
}
