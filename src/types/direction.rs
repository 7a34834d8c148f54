//! Directions and families of packets, as the rules of security groups name them.

use std::fmt;

use bytemuck::Zeroable;

/// The direction of a packet as seen by a port, in Neutron's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Zeroable)]
#[repr(u8)]
pub enum Direction {
    /// From the port.
    Egress = 0,
    /// To the port.
    Ingress,
}

impl Direction {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Egress, Self::Ingress];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

/// The version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Zeroable)]
#[repr(u8)]
pub enum Family {
    /// Version 4.
    Ipv4 = 0,
    /// Version 6.
    Ipv6,
}

impl Family {
    /// The family of an address or a prefix.
    #[must_use]
    pub const fn of(is_ipv4: bool) -> Self {
        if is_ipv4 { Self::Ipv4 } else { Self::Ipv6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}
