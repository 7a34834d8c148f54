//! Something the control thread could not use, in words for an operator.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::shorten_message;

/// One skipped record, port or link: what it is about, and why, with the way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The thing: `lport c0a8…`, `child_port_segmentation 7dbf…`, `link tap0`.
    pub about: String,
    /// The reason, with the offending value, what was expected and what to do.
    pub reason: String,
}

impl Problem {
    /// A problem with `about`, for this `reason`.
    pub fn new(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { about: short(about.into()), reason: short(reason.into()) }
    }
}

/// Ids and names of records may be of any length.
fn short(text: String) -> String {
    match shorten_message(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.reason)
    }
}
