//! Descriptions, for operators, of records, ports and links that the control thread cannot use.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::shorten::shorten_message;

/// One invalid record, or one port or link that is down: the subject, and the reason with a remedy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The subject: `lport c0a8…`, `child_port_segmentation 7dbf…`, `link tap0`.
    pub about: String,
    /// The reason: the invalid value, the expectation and the remedy.
    pub reason: String,
}

impl Problem {
    /// Creates a problem, and shortens texts that are too long.
    pub fn new(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { about: short(about.into()), reason: short(reason.into()) }
    }
}

// Ids and names of records may have any length.
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
