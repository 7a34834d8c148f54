//! What can go wrong with the northbound DB, in words that name the value and the way out.

use std::path::PathBuf;

use serde_json::Value;

use super::{Revision, Table, TableError};
use crate::types::{SegmentationError, shorten, shorten_message};

/// A failed operation on the northbound DB.
#[derive(Debug, thiserror::Error)]
pub enum NbError {
    /// The URL's scheme is none that this program knows, or its rest is empty.
    #[error(
        "{:?} is no northbound DB: expected sqlite:PATH, etcd://HOST:PORT,... or redis://HOST:PORT",
        shorten(.0)
    )]
    Url(String),
    /// The URL's scheme is known, and the rest is wrong.
    #[error("northbound DB {}: {}", shorten(url), shorten_message(reason))]
    Address {
        /// The URL, without its password.
        url: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// There is no table of this name.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The embedded DB's file does not exist.
    #[error("no northbound DB at {}: make one with `trunkpath nb --nb sqlite:{} init`", .0.display(), .0.display())]
    Absent(PathBuf),
    /// The file holds something else.
    #[error("{} is not a northbound DB of this program: {reason}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The changes after this revision are not kept any more, or the DB was replaced by another. Read a snapshot
    /// and watch from its revision.
    #[error("the changes after revision {0} are not kept any more: read a snapshot and watch from there")]
    Compacted(Revision),
    /// A transaction was refused, and nothing of it stored.
    #[error("{}: {}", shorten(about), shorten_message(&reason.to_string()))]
    Refused {
        /// Which operation of the transaction, from 0.
        op: usize,
        /// The record: table and id, as far as known.
        about: String,
        /// The rule that it breaks.
        reason: RecordError,
    },
    /// The records of this table carry no unique key.
    #[error("records of table {0} have no unique_key: there is none to allocate")]
    Keyless(Table),
    /// All 2^31 - 1 unique keys of a table were given out.
    #[error("table {0} has no unique_key left to allocate: give one that is free in the record")]
    KeysExhausted(Table),
    /// The store itself failed.
    #[error("northbound DB {store}: {}", shorten_message(&source.to_string()))]
    Store {
        /// The file or server.
        store: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl NbError {
    /// The error without the store's name, for where that has been said.
    #[must_use]
    pub fn reason(&self) -> String {
        if let Self::Store { source, .. } = self {
            shorten_message(&source.to_string()).into_owned()
        } else {
            self.to_string()
        }
    }
}

/// A record that cannot be used, or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The text is no JSON object.
    #[error("{0} is not a JSON object: expected {{\"id\": ...}}")]
    NotAnObject(String),
    /// A field that must be there is not.
    #[error("field {0} is missing")]
    Missing(String),
    /// A field holds something else than it must.
    #[error("field {field} is {value}: expected {expected}")]
    Bad {
        /// The field, with the path to it: `binding.chassis`, `macs[0]`.
        field: String,
        /// What it holds, as JSON.
        value: String,
        /// What it may hold.
        expected: String,
    },
    /// Dragonflow's readers stop at a field that they do not know.
    #[error("unknown field {field}: {hint}")]
    Unknown {
        /// The field.
        field: String,
        /// The nearest known one, or all of them.
        hint: String,
    },
    /// The segmentation's type or id.
    #[error(transparent)]
    Segmentation(#[from] SegmentationError),
    /// The record is to be created, and exists.
    #[error("exists already: `nb put` changes it, `nb delete` removes it")]
    Exists,
    /// The record is to be deleted, and does not exist.
    #[error("does not exist: `nb list {0}` shows what does")]
    Absent(Table),
    /// Another record of the table has this unique key.
    #[error("unique_key {key} belongs to {other} already: leave the field out to get a free one")]
    DuplicateKey {
        /// The key.
        key: u64,
        /// The record that has it.
        other: String,
    },
    /// A segmentation refers to a port that does not exist after the transaction.
    #[error("{role} {id} does not exist: create that lport first, or in the same transaction")]
    NoSuchPort {
        /// `parent` or `port`.
        role: &'static str,
        /// The port's id.
        id: String,
    },
    /// A segmentation makes a port its own parent.
    #[error("port {0} would be its own parent: give another parent")]
    OwnParent(String),
    /// A segmentation closes a circle of parents.
    #[error("parent {parent} is itself a subport below {port}: give a parent that is not")]
    Cycle {
        /// The parent.
        parent: String,
        /// The subport.
        port: String,
    },
    /// Two subports of one parent with one tag.
    #[error(
        "{segmentation} of parent {parent} belongs to {other} already: choose another, or delete that one"
    )]
    TagTaken {
        /// The parent.
        parent: String,
        /// The tag.
        segmentation: String,
        /// The segmentation record that has it.
        other: String,
    },
    /// A port belongs to at most one segmentation.
    #[error("port {port} is a subport of {parent} already ({other}): delete that segmentation first")]
    SubportTaken {
        /// The port.
        port: String,
        /// The parent that it has.
        parent: String,
        /// The segmentation record that says so.
        other: String,
    },
    /// A port is deleted that a segmentation still names.
    #[error(
        "is the {role} of child_port_segmentation {other}: delete that first, or in the same transaction"
    )]
    StillUsed {
        /// `parent` or `port`.
        role: &'static str,
        /// The segmentation record.
        other: String,
    },
}

impl RecordError {
    /// A field that holds `value` instead of what is `expected`.
    pub(super) fn bad(field: impl Into<String>, value: &Value, expected: impl Into<String>) -> Self {
        Self::Bad {
            field: field.into(),
            value: shorten(&value.to_string()).into_owned(),
            expected: expected.into(),
        }
    }

    /// A record that is `value` instead of an object.
    pub(super) fn not_an_object(value: &Value) -> Self {
        Self::NotAnObject(shorten(&value.to_string()).into_owned())
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A field's name may be of any length, and the distance takes the product of both lengths.
    candidates
        .filter(|candidate| word.len().abs_diff(candidate.len()) <= 1 + candidate.len() / 4)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
