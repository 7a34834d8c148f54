//! What all operations on a SQLite file share: its connection, and transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::failure::failed;
use super::file::{self, Opened};
use super::state::{self, Uncommitted};
use crate::nb::freshness::Freshness;
use crate::nb::{NbError, Revision};

#[derive(Debug, Clone)]
pub(in crate::nb) struct Embedded {
    pub(super) path: PathBuf,
    opened: Arc<Mutex<Option<Opened>>>,
    pub(super) freshness: Freshness,
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
    pub(super) async fn with<T, F>(&self, work: F) -> Result<T, NbError>
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
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, NbError>
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
    pub(super) async fn write<T, F>(&self, work: F) -> Result<(T, Revision), NbError>
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
