//! Errors of the northbound DB: value, expectation, remedy.

use std::path::PathBuf;

use serde_json::Value;

use super::{RecordId, Revision, Table, TableError};
use crate::types::{SegmentationError, shorten, shorten_message};

/// A failed operation on the northbound DB.
#[expect(missing_docs, reason = "the fields are parts of the messages above them")]
#[derive(Debug, thiserror::Error)]
pub enum NbError {
    /// The scheme of the URL is unknown, or the rest is empty.
    #[error(
        "{:?} is no northbound DB: expected sqlite:PATH, etcd://HOST:PORT,... or redis://HOST:PORT",
        shorten(.0)
    )]
    Url(String),
    /// The scheme of the URL is known, and the rest is invalid.
    #[error("northbound DB {}: {}", shorten(url), shorten_message(&reason.to_string()))]
    Address {
        /// The URL without its password.
        url: String,
        /// The invalid part and the expectation.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No table has this name.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The file of the embedded DB does not exist.
    #[error("no northbound DB at {}: make one with `trunkpath nb --nb sqlite:{} init`", .0.display(), .0.display())]
    Absent(PathBuf),
    /// The file was not created by this program, or by another version.
    #[error("{} is not a northbound DB of this program: {reason}", .path.display())]
    Foreign { path: PathBuf, reason: String },
    /// The changes after this revision are not kept any more, or the DB was replaced by another. The caller
    /// has to read a snapshot and watch from its revision.
    #[error("the changes after revision {0} are not kept any more: read a snapshot and watch from there")]
    Compacted(Revision),
    /// A transaction was rejected, and nothing of it stored.
    #[error("{}: {}", shorten(about), shorten_message(&reason.to_string()))]
    Rejected {
        /// Position of the operation in the transaction, from 0.
        op: usize,
        /// The table, and the id as far as it is known.
        about: String,
        /// The rule that the operation violates.
        reason: RecordError,
    },
    /// Records of this table have no unique key.
    #[error("records of table {0} have no unique_key: there is none to allocate")]
    Keyless(Table),
    /// All 2^31 - 1 unique keys of a table are used.
    #[error("table {0} has no unique_key left to allocate: give one that is free in the record")]
    KeysExhausted(Table),
    #[error("northbound DB {store}: {}", shorten_message(&source.to_string()))]
    Store { store: String, source: Box<dyn std::error::Error + Send + Sync> },
}

impl NbError {
    /// The message without the name of the store, for a context that has it.
    #[must_use]
    pub fn reason(&self) -> String {
        if let Self::Store { source, .. } = self {
            shorten_message(&source.to_string()).into_owned()
        } else {
            self.to_string()
        }
    }
}

/// A record that is invalid, or that cannot be written.
#[expect(missing_docs, reason = "the fields are parts of the messages above them")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record is not a JSON object.
    #[error("{0} is not a JSON object: expected {{\"id\": ...}}")]
    NotAnObject(String),
    /// A required field is missing.
    #[error("field {0} is missing")]
    Missing(String),
    /// The value of a field is invalid.
    #[error("field {field} is {value}: expected {expected}")]
    Bad {
        /// The field, with the path to it: `binding.chassis`, `macs[0]`.
        field: String,
        /// The value of the field, as JSON.
        value: String,
        /// The values that are valid.
        expected: String,
    },
    /// The table has no such field, so that Dragonflow's readers would fail.
    #[error("unknown field {field}: {hint}")]
    Unknown {
        field: String,
        /// The most similar field, or all fields.
        hint: String,
    },
    /// The type or the id of a segmentation is invalid.
    #[error(transparent)]
    Segmentation(#[from] SegmentationError),
    /// A record with this id exists, so it cannot be created.
    #[error("exists already: `trunkpath nb put` replaces it, `trunkpath nb delete` deletes it")]
    Exists,
    /// No record has this id, so it cannot be deleted.
    #[error("does not exist: `trunkpath nb list {}` shows those that exist", .0.table)]
    Absent(RecordId),
    /// Another record of the table has this unique key.
    #[error("unique_key {key} belongs to {other} already: leave the field out to get a free one")]
    DuplicateKey { key: u64, other: String },
    /// A segmentation refers to a port that does not exist after the transaction.
    #[error("{role} {id} does not exist: create that lport first, or in the same transaction")]
    NoSuchPort {
        /// The field, `parent` or `port`.
        role: &'static str,
        id: String,
    },
    /// A segmentation has one port as parent and subport.
    #[error("port {0} would be its own parent: give another parent")]
    OwnParent(String),
    /// A segmentation makes a port a subport of itself through other segmentations.
    #[error("parent {parent} is itself a subport below {port}: give a parent that is not")]
    Cycle { parent: String, port: String },
    /// Two subports of one parent have the same tag.
    #[error(
        "{segmentation} of parent {parent} belongs to subport {subport}{} already: choose another, or run `trunkpath nb del-subport {parent} {subport}`",
        in_parentheses(.name.as_deref())
    )]
    TagTaken { parent: Box<str>, segmentation: Box<str>, subport: Box<str>, name: Option<Box<str>> },
    /// A port is the subport of two segmentations.
    #[error(
        "port {port} is a subport of {parent} already ({segmentation}): run `trunkpath nb del-subport {parent} {port}` first"
    )]
    SubportTaken { port: String, parent: String, segmentation: String },
    /// A port is deleted that a segmentation refers to.
    #[error(
        "is the {role} of child_port_segmentation {other}: run `trunkpath nb del-subport {parent} {port}` first, or delete that record in the same transaction"
    )]
    StillUsed {
        /// The field, `parent` or `port`.
        role: &'static str,
        other: Box<str>,
        parent: Box<str>,
        port: Box<str>,
    },
}

impl RecordError {
    /// The error for a field whose `value` is not what is `expected`.
    pub(super) fn bad(field: impl Into<String>, value: &Value, expected: impl Into<String>) -> Self {
        Self::Bad {
            field: field.into(),
            value: shorten(&value.to_string()).into_owned(),
            expected: expected.into(),
        }
    }

    /// The error for a record that is not an object.
    pub(super) fn not_an_object(value: &Value) -> Self {
        Self::NotAnObject(shorten(&value.to_string()).into_owned())
    }
}

fn in_parentheses(name: Option<&str>) -> String {
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

/// The candidate that is most similar to `word`, if any is similar.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The length of `word` is bounded because the distance takes time in proportion to the product of both
    // lengths.
    candidates
        .filter(|candidate| word.len().abs_diff(candidate.len()) <= 1 + candidate.len() / 4)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
