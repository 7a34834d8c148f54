//! What became of the logical ports, for people.

use std::fmt;

use crate::types::{Id, Segmentation};

/// What became of a logical port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortReport {
    /// Whether it forwards, or why not.
    pub state: PortState,
    /// For a subport: its parent's id and its tag there.
    pub parent: Option<(Id, Segmentation)>,
}

/// Whether a port forwards, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// It forwards.
    Up,
    /// Its record says `enabled: false`.
    Disabled,
    /// Its device is down.
    LinkDown,
    /// Its parent does not forward.
    ParentDown,
    /// Its network has no record.
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
