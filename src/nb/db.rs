//! The door to a northbound store.

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;

use super::{NbError, Table};

/// A point in the history of a store. Grows with every transaction, by how much is the store's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What names a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// Its table.
    pub table: Table,
    /// Its id in the table.
    pub id: String,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.id)
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its table.
    pub table: Table,
    /// The id in its key.
    pub id: String,
    /// The object. What is no JSON at all in the store comes as a JSON string of that text.
    pub json: Value,
}

/// All tables at one revision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The revision, to watch from.
    pub revision: Revision,
    /// The records, ordered by table and id.
    pub records: Vec<Record>,
}

/// What a transaction did to one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It was created or changed to this.
    Put(Record),
    /// It was deleted.
    Delete {
        /// Its table.
        table: Table,
        /// Its id.
        id: String,
    },
}

/// What one transaction did: each record at most once, so the order of the changes has no meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// The revision that the transaction made; a watch goes on after it.
    pub revision: Revision,
    /// The changes.
    pub changes: Vec<Change>,
}

/// What a writer wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Make this record; refused when there is one with its id.
    Create {
        /// Its table.
        table: Table,
        /// The object.
        json: Value,
    },
    /// Make this record, or replace the one with its id.
    Put {
        /// Its table.
        table: Table,
        /// The object.
        json: Value,
    },
    /// Delete this record; refused when there is none.
    Delete {
        /// Its table.
        table: Table,
        /// Its id.
        id: String,
    },
}

/// A northbound store.
///
/// Any number of processes use one store at once. Every write is a transaction, checked as a whole against the state
/// that it makes, completed (unique key, version, lists) and stored all or not at all; putting a record as it is
/// already changes nothing and wakes no watch.
#[async_trait]
pub trait NorthboundDb: Send + Sync + fmt::Debug {
    /// Reads all tables at one revision.
    ///
    /// # Errors
    /// [`NbError::Store`].
    async fn snapshot(&self) -> Result<Snapshot, NbError>;

    /// Reads a table, ordered by id.
    ///
    /// # Errors
    /// [`NbError::Store`].
    async fn list(&self, table: Table) -> Result<Vec<Record>, NbError>;

    /// Reads a record, if there is one.
    ///
    /// # Errors
    /// [`NbError::Store`].
    async fn get(&self, table: Table, id: &str) -> Result<Option<Record>, NbError>;

    /// Every transaction after `after`, exactly once and in order: first what is done, then what comes.
    ///
    /// The stream ends after its first error. After [`NbError::Compacted`] only a new snapshot helps; after another
    /// error a new watch from the last revision seen goes on without a gap.
    fn watch(&self, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>>;

    /// Does all of `ops` or nothing, and returns the revision since which they are in force.
    ///
    /// # Errors
    /// [`NbError::Refused`] names the first bad operation; [`NbError::KeysExhausted`], [`NbError::Store`].
    async fn transact(&self, ops: Vec<Op>) -> Result<Revision, NbError>;

    /// Takes a unique key of `table`: from 1 on, never one that was used before.
    ///
    /// # Errors
    /// [`NbError::Keyless`], [`NbError::KeysExhausted`], [`NbError::Store`].
    async fn allocate_unique_key(&self, table: Table) -> Result<u32, NbError>;

    /// The last moment whose whole state this handle is known to have delivered, by a snapshot or a watch; `None` before
    /// the first. So a view that follows the handle is no older than this; how much younger, a store without
    /// history cannot say.
    fn confirmed(&self) -> Option<Instant>;

    /// The last failure that was met by retrying, for a caller that waits no longer.
    fn last_failure(&self) -> Option<String> {
        None
    }

    /// Makes or replaces one record.
    ///
    /// # Errors
    /// As [`NorthboundDb::transact`].
    async fn put(&self, table: Table, json: Value) -> Result<Revision, NbError> {
        self.transact(vec![Op::Put { table, json }]).await
    }

    /// Deletes one record.
    ///
    /// # Errors
    /// As [`NorthboundDb::transact`].
    async fn delete(&self, table: Table, id: &str) -> Result<Revision, NbError> {
        self.transact(vec![Op::Delete { table, id: id.to_owned() }]).await
    }
}
