//! A rule of a security group.

use ipnet::IpNet;

use super::direction::{Direction, Family};
use super::id::Id;

/// What a rule allows: packets in one direction, of one family, that match everything it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// Its id, for traces and problems.
    pub id: Id,
    /// Of the packets, as their port sees it.
    pub direction: Direction,
    /// The version of IP.
    pub family: Family,
    /// The number behind all extension headers; `None` for every protocol.
    pub protocol: Option<u8>,
    /// The first and the last number that it allows: destination ports; or type and code of ICMP, in the high
    /// and the low byte. 0 and 65,535 for all.
    pub selectors: (u16, u16),
    /// The other end.
    pub remote: Remote,
}

/// The addresses that a port may communicate with: of the receivers of egress packets, of the senders of
/// ingress packets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// All.
    Anyone,
    /// Those of a prefix.
    Prefix(IpNet),
    /// Those of the ports in a group, and of their `allowed_address_pairs`.
    Group(Id),
}
