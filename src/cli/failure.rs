//! The last line of a command that fails.

use std::error::Error;

use crate::types::{printable, sentence};

/// The error and its causes on one line.
pub(super) fn failure(error: &(dyn Error + 'static)) -> String {
    format!("trunkpath: {}", printable(&sentence(error)))
}
