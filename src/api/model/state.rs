//! States, each an enum: `"state"` in JSON, with a `"reason"` beside it where there is one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a port: `"state": "up"`, or `"state": "down"` and `"reason": {"kind": ..., "message": ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PortState {
    /// The port forwards frames.
    Up,
    /// The port forwards nothing.
    Down {
        /// The cause, which an operator can remove.
        reason: DownReason,
    },
}

/// Why a port is down: `kind` for programs, `message` for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownReason {
    /// The class of the reason; the set is part of the API.
    pub kind: DownKind,
    /// One sentence with the values concerned; its wording may change.
    pub message: String,
}

/// The classes of [`DownReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownKind {
    /// The record has `enabled: false`.
    Disabled,
    /// The link, or its other end, is switched off.
    LinkDown,
    /// No link on this host belongs to the port, or several claim it, or another port has it.
    NoLink,
    /// The link cannot be used; the message has the kernel's reason.
    LinkRefused,
    /// The link's program and sockets are being set up.
    Opening,
    /// The parent of a subport is down.
    ParentDown,
    /// The port's network has no record.
    NoNetwork,
    /// The port's record cannot be used; `GET /v1/problems` has the reason.
    InvalidRecord,
    /// The record binds the port to another chassis, or to none.
    NotBoundHere,
}

impl PortState {
    /// The state of a port that is down for this reason.
    #[must_use]
    pub fn down(kind: DownKind, message: impl Into<String>) -> Self {
        Self::Down { reason: DownReason { kind, message: message.into() } }
    }
}

impl fmt::Display for PortState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { reason } => write!(f, "down: {}", reason.message),
        }
    }
}

/// The state of the records in force: `"state"`, and for `stale` a `"reason"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NbState {
    /// Changes of the NB DB are applied as they occur.
    Followed,
    /// The records in force may be older than those of the NB DB.
    Stale {
        /// Which records are in force instead.
        reason: StaleReason,
    },
    /// No record was read since the start.
    Unread,
}

/// Why the records in force may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaleReason {
    /// The NB DB was read and cannot be reached at present.
    DbAway,
    /// The NB DB was not read yet: the records come from the copy that the last run left on disk.
    CopyOfLastRun,
}

impl fmt::Display for NbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Followed => "followed",
            Self::Stale { reason: StaleReason::DbAway } => "stale: the DB is away",
            Self::Stale { reason: StaleReason::CopyOfLastRun } => "stale: the copy of the last run",
            Self::Unread => "not read yet",
        })
    }
}

/// The state of this host's record in table `chassis`: `{"state": ...}`, and for `failed` a `"reason"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChassisRecord {
    /// The first attempt to write it is under way.
    Pending,
    /// There is no address to write: no default route, and no `--local-ip`.
    NoAddress,
    /// The NB DB has the record.
    Written,
    /// The last attempt failed; another follows.
    Failed {
        /// The message of the NB DB's store.
        reason: String,
    },
}

impl fmt::Display for ChassisRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("not written yet"),
            Self::NoAddress => f.write_str("not written: no --local-ip and no default route"),
            Self::Written => f.write_str("written"),
            Self::Failed { reason } => write!(f, "not written: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_words_for_programs_and_sentences_for_people() {
        let down = PortState::down(DownKind::LinkDown, "link tap0 is down");
        assert_eq!(
            json!(down),
            json!({"state": "down", "reason": {"kind": "link_down", "message": "link tap0 is down"}})
        );
        assert_eq!(
            (json!(PortState::Up), PortState::Up.to_string()),
            (json!({"state": "up"}), "up".to_owned())
        );
        assert_eq!(down.to_string(), "down: link tap0 is down");
        let stale = NbState::Stale { reason: StaleReason::DbAway };
        assert_eq!(json!(stale), json!({"state": "stale", "reason": "db_away"}));
    }
}
