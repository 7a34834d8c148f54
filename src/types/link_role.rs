//! The purpose of a link.

use std::fmt;

use super::Id;

/// The purpose of an open link: whose frames it carries. Control finds everything that belongs to a link by
/// its role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// The link of a port, by the id of the port's record in table `lport`.
    Port(Id),
    /// A link that other hosts are reached by, by its name: tunnels leave by it, or provider networks are
    /// mapped to it.
    Uplink(Id),
}

impl LinkRole {
    /// The port whose link it is; `None` for an uplink.
    #[must_use]
    pub const fn port(&self) -> Option<&Id> {
        match self {
            Self::Port(lport) => Some(lport),
            Self::Uplink(_) => None,
        }
    }
}

/// The subject of log lines and problems.
impl fmt::Display for LinkRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(lport) => write!(f, "lport {lport}"),
            Self::Uplink(link) => write!(f, "uplink {link}"),
        }
    }
}
