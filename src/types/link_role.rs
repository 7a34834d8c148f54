//! The purpose of a link.

use std::fmt;

use super::Id;

/// The purpose of an open link: whose frames it carries. Control finds everything that belongs to a link by
/// its role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// The link of a port, by the id of the port's record in table `lport`.
    Port(Id),
}

impl LinkRole {
    /// The id of the record that the role belongs to.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Port(lport) => lport,
        }
    }
}

/// The subject of log lines and problems.
impl fmt::Display for LinkRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(lport) => write!(f, "lport {lport}"),
        }
    }
}
