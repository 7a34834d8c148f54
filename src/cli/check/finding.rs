//! A finding of `trunkpath check`.

use serde::Serialize;

/// One checked requirement; a line of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// The subject, for example `kernel` or `link veth0`.
    pub(super) about: String,
    pub(super) found: String,
    /// The remedy, for a verdict other than `Ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// The switch starts, with a limitation that the finding names.
    Warning,
    /// The switch, or the port of a link that was named, cannot work.
    Missing,
}

impl Finding {
    pub(super) fn ok(about: &str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, about: about.to_owned(), found: found.into(), advice: None }
    }

    pub(super) fn not_ok(
        verdict: Verdict,
        about: &str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { verdict, about: about.to_owned(), found: found.into(), advice: Some(advice.into()) }
    }
}
