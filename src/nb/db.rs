//! The interface of a northbound store.

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;

use super::{NbError, Table};

/// A point in the history of a store. It grows with every transaction, by an amount that depends on the
/// store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The identity of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The table of the record.
    pub table: Table,
    /// The id, unique in the table.
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
    /// The table of the record.
    pub table: Table,
    /// The id in the key of the record.
    pub id: String,
    /// The object. A stored text that is not JSON becomes a JSON string.
    pub json: Value,
}

/// The records of all tables at one revision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The revision, from which a watch continues.
    pub revision: Revision,
    /// The records, ordered by table and id.
    pub records: Vec<Record>,
}

/// The change of one record by a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The record was created or changed.
    Put(Record),
    /// The record was deleted.
    Delete {
        /// The table of the record.
        table: Table,
        /// The id of the record.
        id: String,
    },
}

/// The changes of one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// The revision of the transaction; a watch continues after it.
    pub revision: Revision,
    /// Each record at most once, so that the order has no meaning.
    pub changes: Vec<Change>,
}

/// An operation of a writer.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Creates a record; rejected if one with its id exists.
    Create {
        /// The table of the record.
        table: Table,
        /// The object, with its id.
        json: Value,
    },
    /// Creates a record, or replaces the one with its id.
    Put {
        /// The table of the record.
        table: Table,
        /// The object, with its id.
        json: Value,
    },
    /// Deletes a record; rejected if there is none.
    Delete {
        /// The table of the record.
        table: Table,
        /// The id of the record.
        id: String,
    },
}

/// A transaction that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The revision since which the transaction is in force.
    pub revision: Revision,
    /// The records of the operations, each once, in the order of the last operation on each.
    pub effects: Vec<(RecordId, Effect)>,
}

/// The effect of a transaction on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The record did not exist before.
    Created,
    /// The record existed with another content.
    Updated,
    /// The record existed with this content, and was not written.
    Unchanged,
    /// The record does not exist any more.
    Deleted,
}

impl Effect {
    pub(super) fn of(before: Option<&Value>, now: Option<&Value>) -> Self {
        match (before, now) {
            (before, now) if before == now => Self::Unchanged,
            (None, _) => Self::Created,
            (_, None) => Self::Deleted,
            _ => Self::Updated,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// The operations of a northbound store.
///
/// Any number of processes use one store at once. Every write is a transaction, which is checked as a whole
/// against the resulting state, completed (unique key, version, lists) and stored as a whole or not at all.
/// An unchanged record is not written and reaches no watch.
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

    /// Every transaction after `after`, exactly once and in order, past ones first.
    ///
    /// The stream ends after its first error. After [`NbError::Compacted`] the caller needs a new snapshot;
    /// after another error a new watch from the last received revision continues without a gap.
    fn watch(&self, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>>;

    /// Performs all of `ops` or nothing.
    ///
    /// # Errors
    /// [`NbError::Rejected`] names the first invalid operation; [`NbError::KeysExhausted`],
    /// [`NbError::Store`].
    async fn commit(&self, ops: Vec<Op>) -> Result<Committed, NbError>;

    /// Allocates a unique key of `table`: from 1 on, never one that was used before.
    ///
    /// # Errors
    /// [`NbError::Keyless`], [`NbError::KeysExhausted`], [`NbError::Store`].
    async fn allocate_unique_key(&self, table: Table) -> Result<u32, NbError>;

    /// The latest time whose whole state this handle is known to have delivered, by a snapshot or a watch;
    /// `None` before the first. A view that follows the handle is no older than this; a store without history
    /// cannot bound it closer.
    fn confirmed(&self) -> Option<Instant>;

    /// The last failure after which the store retries, for a caller that stops waiting.
    fn last_failure(&self) -> Option<String> {
        None
    }

    /// Like [`commit`](Self::commit); returns the revision only.
    ///
    /// # Errors
    /// As [`NorthboundDb::commit`].
    async fn transact(&self, ops: Vec<Op>) -> Result<Revision, NbError> {
        Ok(self.commit(ops).await?.revision)
    }

    /// Creates or replaces one record.
    ///
    /// # Errors
    /// As [`NorthboundDb::transact`].
    async fn put(&self, table: Table, json: Value) -> Result<Revision, NbError> {
        self.transact(vec![Op::Put { table, json }]).await
    }

    /// Deletes one record by its id.
    ///
    /// # Errors
    /// As [`NorthboundDb::transact`].
    async fn delete(&self, table: Table, id: &str) -> Result<Revision, NbError> {
        self.transact(vec![Op::Delete { table, id: id.to_owned() }]).await
    }
}
