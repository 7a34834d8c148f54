//! The kernel's answers to requests for routes.

use std::net::IpAddr;
use std::num::NonZeroU32;

use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
    RouteType, RouteVia,
};

use super::no_path::Rejection;
use crate::types::IfIndex;

/// An answer to a request for the route of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Packets are sent to one of the next hops.
    Forward(Forward),
    /// The address belongs to this host.
    Local,
    /// A broadcast, multicast or anycast address.
    NotUnicast,
    /// There is no route.
    Missing,
    /// The route drops packets.
    Rejected(Rejection),
}

/// A route that forwards packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    /// Several for routes of equal cost, in the order of the route; none for a nexthop object while
    /// `net.ipv4.nexthop_compat_mode` is 0.
    pub hops: Vec<Hop>,
    /// The metric `mtu`, or the path MTU that the kernel has learned.
    pub mtu_bytes: Option<NonZeroU32>,
}

/// A next hop of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hop {
    pub link: IfIndex,
    /// The gateway; `None` if the address is on the link.
    pub via: Option<IpAddr>,
    /// Relative number of flows that take it, from 1 to 256.
    pub weight: u16,
    /// Whether the kernel has marked it (`RTNH_F_DEAD`, `RTNH_F_LINKDOWN`). A request for one route still
    /// returns it.
    pub is_dead: bool,
}

impl Route {
    pub(super) fn parse(message: &RouteMessage) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel returns no other types of IP routes")]
        match message.header.kind {
            RouteType::Local => Self::Local,
            RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => Self::NotUnicast,
            RouteType::BlackHole => Self::Rejected(Rejection::Blackhole),
            RouteType::Unreachable => Self::Rejected(Rejection::Unreachable),
            RouteType::Prohibit => Self::Rejected(Rejection::Prohibit),
            RouteType::Throw => Self::Rejected(Rejection::Throw),
            RouteType::Unicast => Self::Forward(Forward::parse(message)),
            _ => Self::Missing,
        }
    }

    /// The route that an errno stands for (`fib_props`, `fib6_prop` of the kernel); `None` for other errors.
    /// `EINVAL` also stands for a source address that is not configured, which is checked before.
    pub(super) fn of_errno(errno: i32) -> Option<Self> {
        match errno {
            libc::ENETUNREACH => Some(Self::Missing),
            libc::EINVAL => Some(Self::Rejected(Rejection::Blackhole)),
            libc::EHOSTUNREACH => Some(Self::Rejected(Rejection::Unreachable)),
            libc::EACCES => Some(Self::Rejected(Rejection::Prohibit)),
            libc::EAGAIN => Some(Self::Rejected(Rejection::Throw)),
            _ => None,
        }
    }
}

impl Forward {
    fn parse(message: &RouteMessage) -> Self {
        let dead = (RouteFlags::Dead | RouteFlags::Linkdown).bits();
        let mut route = Self { hops: Vec::new(), mtu_bytes: None };
        let single = Hop::parse(None, &message.attributes, message.header.flags.bits() & dead != 0, 0);
        route.hops.extend(single);
        for attribute in &message.attributes {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the other attributes have no effect here")]
            match attribute {
                RouteAttribute::MultiPath(hops) => route.hops.extend(hops.iter().filter_map(Hop::of_many)),
                RouteAttribute::Metrics(metrics) => {
                    route.mtu_bytes = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) => NonZeroU32::new(*mtu),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        route
    }
}

impl Hop {
    fn of_many(hop: &RouteNextHop) -> Option<Self> {
        let is_dead = hop.flags.intersects(RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown);
        Self::parse(IfIndex::new(hop.interface_index), &hop.attributes, is_dead, hop.hops)
    }

    /// `rtnh_hops` is the weight less 1.
    fn parse(
        link: Option<IfIndex>,
        attributes: &[RouteAttribute],
        is_dead: bool,
        rtnh_hops: u8,
    ) -> Option<Self> {
        let (mut link, mut via) = (link, None);
        for attribute in attributes {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the other attributes have no effect here")]
            match attribute {
                RouteAttribute::Oif(index) => link = IfIndex::new(*index),
                RouteAttribute::Gateway(RouteAddress::Inet(gateway))
                | RouteAttribute::Via(RouteVia::Inet(gateway)) => via = Some(IpAddr::V4(*gateway)),
                RouteAttribute::Gateway(RouteAddress::Inet6(gateway))
                | RouteAttribute::Via(RouteVia::Inet6(gateway)) => via = Some(IpAddr::V6(*gateway)),
                _ => {}
            }
        }
        Some(Self { link: link?, via, weight: u16::from(rtnh_hops) + 1, is_dead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.kind = kind;
        message.attributes = attributes;
        message
    }

    fn hop(link: u32, via: Option<&str>, weight: u16, is_dead: bool) -> Hop {
        Hop { link: IfIndex::new(link).unwrap(), via: via.map(|via| via.parse().unwrap()), weight, is_dead }
    }

    #[test]
    fn one_next_hop_is_in_the_message_itself() {
        let mut on_link = message(
            RouteType::Unicast,
            vec![RouteAttribute::Oif(7), RouteAttribute::Metrics(vec![RouteMetric::Mtu(1400)])],
        );
        let mtu_bytes = NonZeroU32::new(1400);
        let expected = |is_dead| Route::Forward(Forward { hops: vec![hop(7, None, 1, is_dead)], mtu_bytes });
        assert_eq!(Route::parse(&on_link), expected(false));
        on_link.header.flags = RouteFlags::Linkdown;
        assert_eq!(Route::parse(&on_link), expected(true));
        let gateway = RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap()));
        let metrics = RouteAttribute::Metrics(vec![RouteMetric::Mtu(0)]);
        let by_ipv6 = message(RouteType::Unicast, vec![RouteAttribute::Oif(7), gateway, metrics]);
        let hops = vec![hop(7, Some("fe80::1"), 1, false)];
        assert_eq!(Route::parse(&by_ipv6), Route::Forward(Forward { hops, mtu_bytes: None }));
    }

    #[test]
    fn next_hops_of_equal_cost_have_weights_and_flags() {
        let next_hop = |link, gateway: [u8; 4], hops, flags| {
            let mut next_hop = RouteNextHop::default();
            (next_hop.interface_index, next_hop.hops, next_hop.flags) = (link, hops, flags);
            next_hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway.into()))];
            next_hop
        };
        let many = RouteAttribute::MultiPath(vec![
            next_hop(2, [192, 0, 2, 254], 0, RouteNextHopFlags::empty()),
            next_hop(3, [198, 51, 100, 254], 2, RouteNextHopFlags::Linkdown),
        ]);
        let hops = vec![hop(2, Some("192.0.2.254"), 1, false), hop(3, Some("198.51.100.254"), 3, true)];
        let route = Route::parse(&message(RouteType::Unicast, vec![many]));
        assert_eq!(route, Route::Forward(Forward { hops, mtu_bytes: None }));
    }

    #[test]
    fn types_and_errors_have_one_meaning() {
        let of = |kind| Route::parse(&message(kind, Vec::new()));
        assert_eq!(of(RouteType::Local), Route::Local);
        assert_eq!(of(RouteType::Multicast), Route::NotUnicast);
        assert_eq!(Some(of(RouteType::BlackHole)), Route::of_errno(libc::EINVAL));
        assert_eq!(Some(of(RouteType::Unreachable)), Route::of_errno(libc::EHOSTUNREACH));
        assert_eq!(Some(of(RouteType::Prohibit)), Route::of_errno(libc::EACCES));
        assert_eq!(Route::of_errno(libc::ENETUNREACH), Some(Route::Missing));
        assert_eq!(Route::of_errno(libc::ENOMEM), None);
    }
}
