//! The kernel's announcements that may change a path (rtnetlink multicast groups).
//!
//! Read by a socket of its own rather than by `rtnetlink`'s connection: of routes only the fact that they
//! change is needed, so a storm of them is not parsed, and the connection drops announcements of nexthop
//! objects, for which it has no type.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, SocketAddr, TokioSocket};

use super::neighbours::{self, Neighbour, NextHop};
use super::output_links::{self, OutputLink};
use crate::types::IfIndex;

/// Everything that a path may depend on.
const GROUPS: [MulticastGroup; 9] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
    MulticastGroup::Nexthop,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
];

/// `RTM_NEWNEXTHOP` and `RTM_DELNEXTHOP` of `linux/rtnetlink.h`, which neither libc nor rtnetlink has.
const NEXTHOP_TYPES: [u16; 2] = [104, 105];

/// The kernel's largest datagram of announcements has 32 KiB (`netlink_dump`, since Linux 4.9).
const DATAGRAM_BYTES: usize = 32 << 10;

/// Datagrams that are read before the endpoints that they concern are decided on.
const MAX_DATAGRAMS: usize = 64;

/// A change that the kernel announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Link(IfIndex, OutputLink),
    LinkGone(IfIndex),
    Neighbour(NextHop, Neighbour),
    NeighbourGone(NextHop),
    /// A route, rule, nexthop object or address was added, changed or removed.
    Routes,
}

/// A socket in the groups of all announcements.
pub(super) struct EventSocket {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

impl EventSocket {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.socket_ref().add_membership(group as u32)?;
        }
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM_BYTES) })
    }

    /// Waits for events; there is at least one. Cancel-safe.
    ///
    /// # Errors
    /// `ENOBUFS` when announcements were lost because the socket's buffer was full.
    pub(super) async fn next(&mut self) -> io::Result<Vec<Event>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Event>>> {
        let mut events = Vec::new();
        for _ in 0..MAX_DATAGRAMS {
            self.buffer.clear();
            match self.socket.poll_recv(cx, &mut self.buffer) {
                Poll::Ready(Ok(())) => parse(&self.buffer, &mut events),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if events.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(events)),
            }
        }
        if events.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(events))
    }
}

/// Appends the events of a datagram. A message that cannot be parsed is counted as a change of the routes.
fn parse(mut datagram: &[u8], events: &mut Vec<Event>) {
    while let Ok(header) = NetlinkBuffer::new_checked(datagram) {
        let len = header.length() as usize;
        let event = match header.message_type() {
            libc::RTM_NEWLINK | libc::RTM_DELLINK | libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH => {
                parse_entry(&datagram[..len])
            }
            libc::RTM_NEWROUTE
            | libc::RTM_DELROUTE
            | libc::RTM_NEWRULE
            | libc::RTM_DELRULE
            | libc::RTM_NEWADDR
            | libc::RTM_DELADDR => Some(Event::Routes),
            other => NEXTHOP_TYPES.contains(&other).then_some(Event::Routes),
        };
        // A thousand changed routes are one event.
        if event != Some(Event::Routes) || events.last() != Some(&Event::Routes) {
            events.extend(event);
        }
        // Messages begin at multiples of four bytes (NLMSG_ALIGN).
        datagram = datagram.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn parse_entry(message: &[u8]) -> Option<Event> {
    let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else {
        return Some(Event::Routes);
    };
    let NetlinkPayload::InnerMessage(message) = message.payload else { return None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the caller passes these four types")]
    match message {
        RouteNetlinkMessage::NewLink(link) => {
            output_links::parse(&link).map(|(ifindex, link)| Event::Link(ifindex, link))
        }
        RouteNetlinkMessage::DelLink(link) => {
            output_links::parse(&link).map(|(ifindex, _)| Event::LinkGone(ifindex))
        }
        RouteNetlinkMessage::NewNeighbour(entry) => {
            neighbours::parse(&entry).map(|(next_hop, neighbour)| Event::Neighbour(next_hop, neighbour))
        }
        RouteNetlinkMessage::DelNeighbour(entry) => {
            neighbours::parse(&entry).map(|(next_hop, _)| Event::NeighbourGone(next_hop))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtnetlink::packet_core::NetlinkHeader;
    use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

    /// A message of the type, without attributes, in host byte order.
    fn message(message_type: u16, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(message_type.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn events(datagram: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        parse(datagram, &mut events);
        events
    }

    #[test]
    fn every_message_of_a_datagram_is_read() {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        link.attributes = vec![LinkAttribute::IfName("u7".to_owned())];
        let mut link = NetlinkMessage::new(
            NetlinkHeader::default(),
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)),
        );
        link.finalize();
        let mut bytes = vec![0; link.buffer_len()];
        link.serialize(&mut bytes);
        let nexthop = message(104, &[2, 0, 0, 0, 0, 0, 0]);
        let routes = message(libc::RTM_NEWROUTE, &[0; 12]).repeat(3);
        let datagram = [nexthop, bytes, routes, message(libc::RTM_NEWTCLASS, &[0; 20])].concat();
        let events = events(&datagram);
        assert!(
            matches!(&events[..], [Event::Routes, Event::Link(index, link), Event::Routes]
                if index.get() == 7 && link.name == "u7"),
            "{events:?}"
        );
    }

    #[test]
    fn a_malformed_message_is_a_change_and_a_truncated_datagram_ends() {
        assert_eq!(events(&message(libc::RTM_NEWNEIGH, &[0; 3])), [Event::Routes]);
        assert_eq!(events(&message(libc::RTM_NEWROUTE, &[0; 12])[..20]), []);
        assert_eq!(events(&[]), []);
    }
}
