//! Packets that pass, or do not, whatever the rules say: without these a host gets no address, and finds no
//! neighbour and no router.

use crate::packet::datagram::{Datagram, Part};
use crate::packet::dhcp;
use crate::packet::icmpv6::{
    LISTENER_DONE, LISTENER_QUERY, LISTENER_REPORT, LISTENER_REPORT_V2, NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION, REDIRECT, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION,
};
use crate::types::{Direction, Family, protocol};

/// What is decided before the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::datapath) enum Always {
    /// It passes.
    Allowed,
    /// Only routers send it, and this guest is none.
    FromRouter,
    /// Only DHCP servers send it, and this guest is none.
    FromDhcpServer,
    /// The rules decide.
    Judged,
}

impl Always {
    /// Of a packet from, or to, a port. A packet in fragments is judged: its ports are in one of them only.
    pub(in crate::datapath) fn of(datagram: &Datagram, direction: Direction) -> Self {
        let Datagram { talk, selector, part, fragment } = datagram;
        if fragment.is_some() {
            return Self::Judged;
        }
        match (talk.family, talk.protocol, part) {
            (Family::Ipv6, _, Part::Message) => of_message((selector >> 8) as u8, direction),
            (family, protocol::UDP, Part::Data) => {
                of_dhcp(family, (talk.source.port, talk.destination.port), direction)
            }
            _ => Self::Judged,
        }
    }
}

const fn of_message(message: u8, direction: Direction) -> Always {
    match (message, direction) {
        (NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT, _)
        | (LISTENER_QUERY | ROUTER_ADVERTISEMENT, Direction::Ingress) => Always::Allowed,
        (LISTENER_QUERY | ROUTER_ADVERTISEMENT | REDIRECT, Direction::Egress) => Always::FromRouter,
        (ROUTER_SOLICITATION | LISTENER_REPORT | LISTENER_DONE | LISTENER_REPORT_V2, Direction::Egress) => {
            Always::Allowed
        }
        _ => Always::Judged,
    }
}

const fn of_dhcp(family: Family, ports: (u16, u16), direction: Direction) -> Always {
    let (client, server) = match family {
        Family::Ipv4 => (dhcp::CLIENT, dhcp::SERVER),
        Family::Ipv6 => (dhcp::CLIENT_V6, dhcp::SERVER_V6),
    };
    let (is_request, is_answer) =
        (ports.0 == client && ports.1 == server, ports.0 == server && ports.1 == client);
    match direction {
        Direction::Egress if is_request => Always::Allowed,
        Direction::Egress if is_answer => Always::FromDhcpServer,
        Direction::Ingress if is_answer => Always::Allowed,
        Direction::Egress | Direction::Ingress => Always::Judged,
    }
}
