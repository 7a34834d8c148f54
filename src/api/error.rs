//! Errors that a client gets instead of a view, and the HTTP status of each.

use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use tokio::task::JoinError;

use super::model::PortState;
use crate::nb::NbError;
use crate::worker::WorkerPoolError;

/// A request that is rejected. The answer's body is `{"error": ...}` with the text of `Display`.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body of a trace request is invalid.
    #[error("not a trace request: {0}")]
    InvalidTrace(serde_json::Error),
    /// The parameters of the URL are invalid.
    #[error("{0}: expected no parameter, or port=ID")]
    InvalidParameters(QueryRejection),
    /// The URL names none of the paths of [`Query`](super::Query).
    #[error("no such path: expected {0}")]
    NoSuchPath(String),
    /// The request names an lport that has no record.
    #[error("no lport with id {lport:?}{}", named(.lport, .ids))]
    NoSuchPort {
        /// The value given as id.
        lport: String,
        /// Ids of the lports that have this value as their name.
        ids: Vec<String>,
    },
    /// A trace starts at a parent or a plain port; a subport's frames come in by its parent.
    #[error("lport {lport} is a subport of {parent}: trace --port {parent} --vlan VID")]
    IsSubport {
        /// Id of the subport's record.
        lport: String,
        /// The id of its parent.
        parent: String,
    },
    /// A trace starts at a port that has a link here.
    #[error(
        "lport {lport} is {state}: a trace starts at a port that is up -> `trunkpath show ports` lists them"
    )]
    PortDown {
        /// Id of the port's record.
        lport: String,
        /// Why the port is down.
        state: PortState,
    },
    /// The packet memory has no free chunks for the frame to trace.
    #[error("no free chunks for a frame of {bytes} bytes: try again")]
    NoChunks {
        /// Length of the frame.
        bytes: usize,
    },
    /// The NB DB cannot be read.
    #[error(transparent)]
    Nb(#[from] NbError),
    /// A worker does not report its counters.
    #[error(transparent)]
    Workers(#[from] WorkerPoolError),
    /// The comparison with the NB DB panicked.
    #[error("the comparison with the NB DB failed, which is a bug: {0}")]
    Comparison(JoinError),
    /// The task that builds a view panicked.
    #[error("the answer could not be built, which is a bug: {0}")]
    Build(JoinError),
    /// A view has no form in JSON.
    #[error("the answer cannot be encoded, which is a bug: {0}")]
    Encode(#[from] serde_json::Error),
    /// The control thread has ended.
    #[error("the daemon is stopping")]
    Stopping,
}

impl ApiError {
    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::InvalidTrace(_) | Self::InvalidParameters(_) => StatusCode::BAD_REQUEST,
            Self::NoSuchPath(_) => StatusCode::NOT_FOUND,
            Self::NoSuchPort { .. } | Self::IsSubport { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PortDown { .. } => StatusCode::CONFLICT,
            Self::Nb(_) => StatusCode::BAD_GATEWAY,
            Self::Workers(_) | Self::Comparison(_) | Self::Build(_) | Self::Encode(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::NoChunks { .. } | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An operator gives a name where an id is expected: the message has the ids of that name.
fn named(lport: &str, ids: &[String]) -> String {
    match ids {
        [] => " -> `trunkpath show ports` lists those of this host".to_owned(),
        [id] => format!("; there is one named {lport}: {id}"),
        several => format!("; there are {} named {lport}: {}", several.len(), several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_as_id_is_answered_with_the_ids() {
        let error = |ids: &[&str]| {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            ApiError::NoSuchPort { lport: "vm".to_owned(), ids }.to_string()
        };
        assert_eq!(error(&["c0a8"]), "no lport with id \"vm\"; there is one named vm: c0a8");
        assert_eq!(error(&["a", "b"]), "no lport with id \"vm\"; there are 2 named vm: a, b");
        assert!(error(&[]).contains("show ports"));
    }
}
