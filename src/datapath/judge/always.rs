//! Packets that pass, or do not, whatever the rules say: without these a host gets no address, and finds no
//! neighbour and no router.

use crate::packet::datagram::{Datagram, Part};
use crate::types::{Direction, Family};

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

// Types of ICMPv6 (RFC 2710, RFC 4861, RFC 3810).
const LISTENER_QUERY: u8 = 130;
const LISTENER_REPORT: u8 = 131;
const LISTENER_DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const LISTENER_REPORT_V2: u8 = 143;

const UDP: u8 = 17;

// Ports of DHCP clients and servers (RFC 2131, 4.1; RFC 8415, 7.2).
const CLIENT: u16 = 68;
const SERVER: u16 = 67;
const CLIENT_V6: u16 = 546;
const SERVER_V6: u16 = 547;

impl Always {
    /// Of a packet from, or to, a port. A packet in fragments is judged: its ports are in one of them only.
    pub(in crate::datapath) fn of(datagram: &Datagram, direction: Direction) -> Self {
        let Datagram { talk, selector, part, fragment } = datagram;
        if fragment.is_some() {
            return Self::Judged;
        }
        match (talk.family, talk.protocol, part) {
            (Family::Ipv6, _, Part::Message) => of_message((selector >> 8) as u8, direction),
            (family, UDP, Part::Data) => {
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
        Family::Ipv4 => (CLIENT, SERVER),
        Family::Ipv6 => (CLIENT_V6, SERVER_V6),
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
