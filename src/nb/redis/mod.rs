//! The northbound DB on a redis server, in Dragonflow's layout.
//!
//! Redis keeps no history. A watch delivers the difference between what it has delivered and what is stored:
//! for single records when an event arrives (keyspace notifications, Dragonflow's messages), and for all of
//! them at an interval, because events may be lost. So the changes lead to the right state, but several
//! changes of one record may arrive as one, and those of another program's transaction separately.
//!
//! A revision is the server's clock in microseconds, kept ascending.

mod address;
mod commit;
mod hint;
mod key;
mod message;
mod picture;
mod read;
mod reading;
mod reports;
mod session;
mod transact;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::address::Address;
use self::picture::Picture;
pub(super) use self::reports::Expiring;
use self::session::Server;
use self::watch::Delivered;
use super::freshness::Freshness;
use super::transaction::{self, State};
use super::{
    Change, ChangeSet, Committed, NbError, NorthboundDb, Op, Record, RecordId, Revision, Snapshot, Table,
};

#[derive(Debug, Clone)]
pub(super) struct Redis {
    server: Arc<Server>,
    delivered: Delivered,
    freshness: Freshness,
}

impl Redis {
    /// The store at `url`. The server is not contacted yet.
    pub fn at(url: &str) -> Result<Self, NbError> {
        let server = Arc::new(Server::new(Address::parse(url)?));
        Ok(Self { server, delivered: Delivered::default(), freshness: Freshness::default() })
    }

    /// The records whose keys match `pattern`, in ascending order.
    async fn records(&self, pattern: &str) -> Result<Vec<Record>, NbError> {
        let failed = |error| self.server.failed(error);
        let mut connection = self.server.connect().await?;
        let keys = read::keys(&mut connection, pattern).await.map_err(failed)?;
        let mut records = Vec::new();
        let take = |id, found: Vec<_>| {
            records.extend(picture::current(&found).map(|found| picture::record(&id, found)));
        };
        read::contents(&mut connection, keys, take).await.map_err(failed)?;
        Ok(records)
    }
}

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
