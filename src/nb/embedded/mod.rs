//! The northbound DB in a SQLite file, for one host: for trials, single hosts and tests.
//!
//! Several processes may use the file at once (write-ahead log: readers never wait). A process that is killed
//! leaves only whole transactions.

mod failure;
mod file;
mod file_watch;
mod reports;
mod state;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub(crate) use self::failure::describe as describe_sqlite;
use self::failure::failed;
use self::file::Opened;
pub(super) use self::reports::Expiring;
use self::state::Uncommitted;
use super::freshness::Freshness;
use super::{
    ChangeSet, Committed, NbError, NorthboundDb, Op, Record, Revision, Snapshot, Table, transaction,
};

#[derive(Debug, Clone)]
pub(super) struct Embedded {
    path: PathBuf,
    opened: Arc<Mutex<Option<Opened>>>,
    freshness: Freshness,
}

impl Embedded {
    /// Opens the file at `path`, which must exist.
    pub async fn open(path: &Path) -> Result<Self, NbError> {
        let embedded =
            Self { path: path.to_owned(), opened: Arc::default(), freshness: Freshness::default() };
        embedded.with(|_, _| Ok(())).await?;
        Ok(embedded)
    }

    /// Opens the file at `path`, and creates it if it does not exist.
    pub async fn create(path: &Path) -> Result<Self, NbError> {
        let owned = path.to_owned();
        blocking(path, move || file::create(&owned)).await?;
        Self::open(path).await
    }

    /// Runs `work` on the connection, on a thread that may block.
    async fn with<T, F>(&self, work: F) -> Result<T, NbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &Path) -> Result<T, NbError> + Send + 'static,
    {
        let Self { path, opened, .. } = self.clone();
        blocking(&self.path, move || {
            let mut opened = opened.lock();
            let current = opened.take().map(|current| current.if_still_at(&path)).transpose()?.flatten();
            let current = current.map_or_else(|| Opened::at(&path), Ok)?;
            work(&mut opened.insert(current).connection, &path)
        })
        .await
    }

    /// Runs a query in a transaction that only reads.
    async fn read<T, F>(&self, query: F) -> Result<T, NbError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.with(|connection, path| {
            let transaction = connection.transaction().map_err(|error| failed(path, error))?;
            query(&transaction).map_err(|error| failed(path, error))
        })
        .await
    }

    /// Runs `work` in a transaction that writes, and commits it if it returns `Ok`.
    async fn write<T, F>(&self, work: F) -> Result<(T, Revision), NbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Uncommitted<'_>) -> Result<T, NbError> + Send + 'static,
    {
        self.with(|connection, path| {
            let failed = |error| failed(path, error);
            let transaction = begin(connection).map_err(failed)?;
            let done = work(&mut Uncommitted { connection: &transaction, path })?;
            trim(&transaction).map_err(failed)?;
            let revision = state::revision(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            Ok((done, revision))
        })
        .await
    }
}

/// Starts a transaction with the write lock, so that it never fails because of another writer.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE setting SET value = value + 1 WHERE name = 'txn'", [])?;
    Ok(transaction)
}

/// Deletes the oldest changes of the log.
fn trim(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM change WHERE revision <= (SELECT seq FROM sqlite_sequence WHERE name = 'change')
               - (SELECT value FROM setting WHERE name = 'changes_kept')";
    connection.execute(sql, []).map(drop)
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, NbError> + Send + 'static,
) -> Result<T, NbError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(path, error))?
}

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
