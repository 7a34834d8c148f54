//! The reasons for which no frame can be sent to a tunnel endpoint.

use std::fmt;
use std::net::IpAddr;

use super::requests::RequestError;
use crate::types::IfIndex;

/// A request for a route, printed as the command that shows the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The tunnel endpoint of the other host.
    pub remote: IpAddr,
    /// The tunnel endpoint of this host, in the same family.
    pub source: IpAddr,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`ip route get {} from {} ipproto udp`", self.remote, self.source)
    }
}

/// The type of a route that forwards nothing (`ip route add TYPE PREFIX`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// `blackhole`: packets are dropped without an answer.
    Blackhole,
    /// `unreachable`: packets are answered with ICMP "host unreachable".
    Unreachable,
    /// `prohibit`: packets are answered with ICMP "administratively prohibited".
    Prohibit,
    /// `throw`, in the last table that the rules name.
    Throw,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
        })
    }
}

/// Why no frame can be sent to a tunnel endpoint: the route that was requested, the reason, the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields of one variant are those of its message")]
pub enum NoPath {
    /// This host has no tunnel endpoint of that family.
    #[error(
        "tunnel endpoint {remote} is an {} address, and this host has no tunnel endpoint of that family -> \
         set local_ip to an {} address of this host", family(.remote), family(.remote)
    )]
    OtherFamily { remote: IpAddr },
    /// The address is configured on no link of this host.
    #[error(
        "tunnel endpoint {source_address} of this host is an address of no link here -> add it to a link \
         (`ip address add`), or correct local_ip"
    )]
    SourceMissing { source_address: IpAddr },
    /// A tunnel from this host to itself.
    #[error(
        "tunnel endpoint {remote} is an address of this host: expected an address of another host -> correct \
         the record of its chassis"
    )]
    LocalAddress { remote: IpAddr },
    /// A multicast, broadcast or anycast address.
    #[error("tunnel endpoint {remote} is no unicast address -> correct the record of its chassis")]
    NotUnicast { remote: IpAddr },
    /// No table that the rules name has a route.
    #[error("no route to tunnel endpoint {}: {asked} has none -> add a route", asked.remote)]
    NoRoute { asked: Asked },
    /// The route exists, and forwards nothing.
    #[error(
        "the route to tunnel endpoint {} rejects packets: {asked} is of type {rejection} -> replace \
         that route",
        asked.remote
    )]
    Rejected { asked: Asked, rejection: Rejection },
    /// The kernel does not list the link of the route, which is being removed or created.
    #[error(
        "the route to tunnel endpoint {} is by link number {link}, which does not exist: {asked} -> correct \
         the route",
        asked.remote
    )]
    NoLink { asked: Asked, link: IfIndex },
    /// The link is switched off.
    #[error("link {link} to tunnel endpoint {} is down: {asked} -> `ip link set {link} up`", asked.remote)]
    Down { asked: Asked, link: String },
    /// The other end of the link is missing or switched off.
    #[error(
        "link {link} to tunnel endpoint {} has no carrier: {asked} -> check its cable or peer",
        asked.remote
    )]
    NoCarrier { asked: Asked, link: String },
    /// A loopback, tunnel or other link without MAC addresses.
    #[error(
        "link {link} to tunnel endpoint {} is no Ethernet link: {asked} -> route the endpoint by a NIC",
        asked.remote
    )]
    NotEthernet { asked: Asked, link: String },
    /// A bond, bridge, VLAN or other link that sends by another one.
    #[error(
        "link {link} to tunnel endpoint {} sends by {lower}, which is not supported: {asked} -> move the \
         address of the tunnel endpoint and its routes to {lower}",
        asked.remote
    )]
    Stacked { asked: Asked, link: String, lower: String },
    /// The kernel is resolving the MAC address; the outcome follows within some seconds.
    #[error(
        "the MAC address of {via} on link {link}, next hop to tunnel endpoint {}, is being resolved: {asked}",
        asked.remote
    )]
    Resolving { asked: Asked, via: IpAddr, link: String },
    /// The next hop does not answer ARP or neighbour discovery.
    #[error(
        "{via} on link {link}, next hop to tunnel endpoint {}, does not answer {}: {asked} -> check that it \
         is up and on that link",
        asked.remote, resolution(.via)
    )]
    NoNeighbour { asked: Asked, via: IpAddr, link: String },
    /// The request for the route failed; it is repeated.
    #[error("cannot read the route to tunnel endpoint {}: {asked}: {error}", asked.remote)]
    Request { asked: Asked, error: RequestError },
}

fn family(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn resolution(next_hop: &IpAddr) -> &'static str {
    if next_hop.is_ipv4() { "ARP" } else { "neighbour discovery" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_request_the_reason_and_the_remedy() {
        let asked = Asked { remote: "198.51.100.9".parse().unwrap(), source: "192.0.2.1".parse().unwrap() };
        let error =
            NoPath::NoNeighbour { asked, via: "192.0.2.254".parse().unwrap(), link: "eth1".to_owned() };
        assert_eq!(
            error.to_string(),
            "192.0.2.254 on link eth1, next hop to tunnel endpoint 198.51.100.9, does not answer ARP: `ip \
             route get 198.51.100.9 from 192.0.2.1 ipproto udp` -> check that it is up and on that link"
        );
        let error = NoPath::OtherFamily { remote: "2001:db8::1".parse().unwrap() }.to_string();
        assert!(error.contains("is an IPv6 address, and this host has no"), "{error}");
    }
}
