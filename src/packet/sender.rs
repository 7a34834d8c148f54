//! Who a frame says it is from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;

use super::be16;
use super::ip::{
    ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_ICMPV6, PROTOCOL_UDP, ipv4_payload, ipv6_payload,
    packet,
};
use crate::types::MacAddr;

/// The addresses that a receiver would take for the sender's. Tags in front of the packet hide nothing: a receiver may
/// well look behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The frame's source address.
    pub mac: MacAddr,
    /// The address that ARP or IPv6 neighbour discovery asks the receiver to send to.
    pub announced: Option<MacAddr>,
    /// IP addresses that it uses, or says are its own. Not the unspecified address where a host that has no other one yet
    /// may use it.
    pub ips: ArrayVec<IpAddr, 2>,
}

/// Types of `ICMPv6` messages (RFC 4861, 4; RFC 2710, 3; RFC 3810, 5).
mod icmpv6 {
    pub const LISTENER_REPORT: u8 = 131;
    pub const LISTENER_DONE: u8 = 132;
    pub const ROUTER_SOLICITATION: u8 = 133;
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    pub const LISTENER_REPORT_V2: u8 = 143;
}

impl Sender {
    /// Reads `frame`. `None` when it cannot be told who an IP or ARP packet is from.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let mac = MacAddr::new(*frame.get(6..)?.first_chunk()?);
        let sender = Self { mac, announced: None, ips: ArrayVec::new() };
        let (ethertype, start) = packet(frame)?;
        let packet = frame.get(start..)?;
        match ethertype {
            ETHERTYPE_ARP => sender.of_arp(packet),
            ETHERTYPE_IPV4 => sender.of_ipv4(packet),
            ETHERTYPE_IPV6 => sender.of_ipv6(packet),
            _ => Some(sender),
        }
    }

    /// RFC 826; a probe has no sender's protocol address (RFC 5227, 2.1.1).
    fn of_arp(mut self, packet: &[u8]) -> Option<Self> {
        const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
        const REQUEST: u16 = 1;
        if !packet.starts_with(&ETHERNET_AND_IPV4) {
            return None;
        }
        self.announced = Some(MacAddr::new(*packet.get(8..)?.first_chunk()?));
        let ip = Ipv4Addr::from_octets(*packet.get(14..)?.first_chunk()?);
        if !(ip.is_unspecified() && be16(packet, 6)? == REQUEST) {
            self.ips.push(ip.into());
        }
        Some(self)
    }

    /// RFC 791; a client that has no address yet asks for one by DHCP (RFC 2131, 4.1).
    fn of_ipv4(mut self, packet: &[u8]) -> Option<Self> {
        let start = ipv4_payload(packet)?;
        let ip = Ipv4Addr::from_octets(*packet.get(12..)?.first_chunk()?);
        if !(ip.is_unspecified() && is_dhcp_request(packet, start)) {
            self.ips.push(ip.into());
        }
        Some(self)
    }

    /// RFC 8200, and RFC 4861 for neighbour discovery.
    fn of_ipv6(mut self, packet: &[u8]) -> Option<Self> {
        let (protocol, start) = ipv6_payload(packet)?;
        let ip = Ipv6Addr::from_octets(*packet.get(8..)?.first_chunk()?);
        let message = packet.get(start..).filter(|_| protocol == PROTOCOL_ICMPV6).unwrap_or_default();
        let kind = message.first().copied();
        let has_no_address_yet = ip.is_unspecified() && kind.is_some_and(is_sent_without_address);
        if !has_no_address_yet {
            self.ips.push(ip.into());
        }
        if kind == Some(icmpv6::NEIGHBOUR_ADVERTISEMENT) {
            let target = Ipv6Addr::from_octets(*message.get(8..)?.first_chunk()?);
            self.ips.push(target.into());
        }
        if let Some((options, wanted)) = kind.and_then(link_layer_option) {
            for option in Options(message.get(options..)?) {
                let (kind, value) = option?;
                if kind != wanted {
                    continue;
                }
                let mac = MacAddr::new(*value.first_chunk()?);
                // Receivers differ in which of two they take.
                if self.announced.replace(mac).is_some_and(|before| before != mac) {
                    return None;
                }
            }
        }
        Some(self)
    }
}

/// From port 68 to port 67, in a packet that is no later fragment.
fn is_dhcp_request(packet: &[u8], start: usize) -> bool {
    const OFFSET: u16 = 0x1fff;
    packet.get(9) == Some(&PROTOCOL_UDP)
        && be16(packet, 6).is_some_and(|flags| flags & OFFSET == 0)
        && (be16(packet, start), be16(packet, start + 2)) == (Some(68), Some(67))
}

/// Messages of a host that looks whether its address is free, or joins the groups for that (RFC 4862, 5.4; RFC 3590).
const fn is_sent_without_address(kind: u8) -> bool {
    use icmpv6::{
        LISTENER_DONE, LISTENER_REPORT, LISTENER_REPORT_V2, NEIGHBOUR_SOLICITATION, ROUTER_SOLICITATION,
    };
    matches!(
        kind,
        LISTENER_REPORT | LISTENER_DONE | LISTENER_REPORT_V2 | ROUTER_SOLICITATION | NEIGHBOUR_SOLICITATION
    )
}

/// Where the options of a neighbour discovery message begin, and the one that holds the link-layer address that the
/// receiver is to use.
const fn link_layer_option(kind: u8) -> Option<(usize, u8)> {
    const SOURCE: u8 = 1;
    const TARGET: u8 = 2;
    match kind {
        icmpv6::ROUTER_SOLICITATION => Some((8, SOURCE)),
        icmpv6::ROUTER_ADVERTISEMENT => Some((16, SOURCE)),
        icmpv6::NEIGHBOUR_SOLICITATION => Some((24, SOURCE)),
        icmpv6::NEIGHBOUR_ADVERTISEMENT => Some((24, TARGET)),
        _ => None,
    }
}

/// The options of a neighbour discovery message, type and value (RFC 4861, 4.6). `None` for one that is cut, and then no
/// more.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, units, ..] = *self.0 else { return None };
        let whole = self.0.split_at_checked(usize::from(units) * 8).filter(|_| units > 0);
        self.0 = whole.map_or(&[], |(_, rest)| rest);
        Some(whole.map(|(option, _)| (kind, option.get(2..).unwrap_or_default())))
    }
}
