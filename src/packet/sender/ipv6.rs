//! IPv6 and its extension headers (RFC 8200, RFC 7045).

use std::net::Ipv6Addr;

use super::{Sender, Visible};
use crate::packet::bytes::be16;
use crate::packet::ip::{IPV6_HEADER_LEN, PROTOCOL_ICMPV6};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;
/// From here on: unassigned, for experiments, or reserved (IANA, "Protocol Numbers"). The payload of such a
/// header is unknown.
const FIRST_UNASSIGNED: u8 = 148;

/// Most extension headers that are parsed. Hosts send one or two.
const MAX_EXTENSION_HEADERS: usize = 8;

/// What follows the extension headers of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// The first byte of a header of this protocol is at `start`.
    Header { protocol: u8, start: usize, is_fragmented: bool },
    /// A fragment other than the first, which has the header.
    LaterFragment,
}

impl Sender {
    pub(super) fn of_ipv6(mut self, packet: Visible<'_>) -> Option<Self> {
        let end = end_of(packet)?;
        let ip = Ipv6Addr::from_octets(*packet.bytes.get(8..)?.first_chunk()?);
        if let Upper::Header { protocol: PROTOCOL_ICMPV6, start, is_fragmented } = upper(packet.bytes, end)? {
            let is_whole = !is_fragmented && end <= packet.bytes.len();
            let message = packet.bytes.get(start..end.min(packet.bytes.len()))?;
            return self.of_icmpv6(ip, message, is_whole);
        }
        self.ips.push(ip.into());
        Some(self)
    }
}

/// End of the packet, from its payload length. That is 0 in a jumbogram (RFC 2675), and in an invalid packet
/// that looks like one, which receivers read up to the end of the frame. `None` for another version, and for
/// a packet that is cut.
fn end_of(packet: Visible<'_>) -> Option<usize> {
    if packet.bytes.first()? >> 4 != 6 {
        return None;
    }
    let payload = usize::from(be16(packet.bytes, 4)?);
    if payload == 0 && *packet.bytes.get(6)? == HOP_BY_HOP {
        return Some(packet.len);
    }
    Some(IPV6_HEADER_LEN + payload).filter(|end| *end <= packet.len)
}

/// Parses the extension headers. `None` when they are cut, do not end in the first fragment (RFC 7112), are
/// too many, or are of an unknown kind.
fn upper(packet: &[u8], end: usize) -> Option<Upper> {
    let mut protocol = *packet.get(6)?;
    let mut start = IPV6_HEADER_LEN;
    let mut is_fragmented = false;
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let header = packet.get(start..end.min(packet.len()));
        let units = |header: &[u8]| header.get(1).copied().map(usize::from);
        let len = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HOST_IDENTITY | SHIM6 => {
                8 * (1 + units(header?)?)
            }
            // RFC 4302, 2.2
            AUTHENTICATION => 4 * (2 + units(header?)?),
            FRAGMENT => {
                if be16(header?, 2)? & !7 != 0 {
                    return Some(Upper::LaterFragment);
                }
                is_fragmented = true;
                8
            }
            FIRST_UNASSIGNED.. => return None,
            protocol if is_fragmented && header.is_none_or(<[u8]>::is_empty) => {
                // No Next Header is the only protocol without a header.
                const NO_NEXT_HEADER: u8 = 59;
                return (protocol == NO_NEXT_HEADER).then_some(Upper::Header {
                    protocol,
                    start,
                    is_fragmented,
                });
            }
            protocol => return Some(Upper::Header { protocol, start, is_fragmented }),
        };
        protocol = *header?.first()?;
        start += len;
    }
    None
}
