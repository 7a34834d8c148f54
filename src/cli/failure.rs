//! The last lines of a command that fails.

use std::error::Error;

use crate::config::ConfigErrors;
use crate::types::{printable, sentence};

/// The error and its causes on one line; a line for each error of a configuration.
pub(super) fn failure(error: &(dyn Error + 'static)) -> String {
    let lines = match error.downcast_ref::<ConfigErrors>() {
        Some(ConfigErrors(errors)) => errors.iter().map(|error| sentence(error)).collect(),
        None => vec![sentence(error)],
    };
    let lines = lines.iter().map(|line| format!("trunkpath: {}", printable(line)));
    lines.collect::<Vec<_>>().join("\n")
}
