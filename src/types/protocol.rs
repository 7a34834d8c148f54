//! Numbers of IP protocols (IANA, "Protocol Numbers").

use std::borrow::Cow;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const DCCP: u8 = 33;
pub const GRE: u8 = 47;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;
pub const UDP_LITE: u8 = 136;

/// The name of a protocol with ports or types, as Neutron writes it; of others the number.
pub fn name(protocol: u8) -> Cow<'static, str> {
    Cow::Borrowed(match protocol {
        ICMP => "icmp",
        TCP => "tcp",
        UDP => "udp",
        DCCP => "dccp",
        GRE => "gre",
        ICMPV6 => "ipv6-icmp",
        SCTP => "sctp",
        UDP_LITE => "udplite",
        other => return Cow::Owned(other.to_string()),
    })
}
