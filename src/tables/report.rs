//! States of logical ports, for `show` and the log.

use std::fmt;

use crate::types::{Id, Segmentation};

/// The state of a logical port that a link of this host carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortReport {
    /// Up, or the reason why the port is down.
    pub state: PortState,
    /// For a subport: the id of its parent, and its tag there.
    pub parent: Option<(Id, Segmentation)>,
}

/// Up, or the reason why a port is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// The port sends and receives frames.
    Up,
    /// Its record has `enabled: false`.
    Disabled,
    /// Its link is down.
    LinkDown,
    /// Its parent is down.
    ParentDown,
    /// Its network has no valid record.
    NoNetwork,
}

impl fmt::Display for PortState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Disabled => "disabled",
            Self::LinkDown => "link down",
            Self::ParentDown => "parent down",
            Self::NoNetwork => "no network",
        })
    }
}
