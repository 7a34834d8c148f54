//! The extension headers of IPv6 (RFC 8200, RFC 7045).

use super::bytes::be16;
use super::ip::IPV6_HEADER_LEN;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
/// The only protocol without a header.
const NO_NEXT_HEADER: u8 = 59;
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
pub enum Upper {
    /// The first byte of a header of this protocol is at `start`.
    Header {
        /// Its number.
        protocol: u8,
        /// Bytes from the start of the packet.
        start: usize,
        /// Of a packet in several fragments, of which this is the first.
        fragment: Option<Fragment>,
    },
    /// A fragment other than the first, which has the header.
    LaterFragment(Fragment),
}

/// A fragment header (RFC 8200, 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The same in all fragments of a packet.
    pub identification: u32,
    /// Whether it is the last one; of a first fragment: that it is the only one (RFC 6946).
    pub is_last: bool,
}

impl Fragment {
    fn parse(header: &[u8]) -> Option<(Self, usize)> {
        let [_, _, high, low, identification @ ..] = *header.first_chunk::<8>()?;
        let field = u16::from_be_bytes([high, low]);
        let fragment = Self { identification: u32::from_be_bytes(identification), is_last: field & 1 == 0 };
        Some((fragment, usize::from(field & !7)))
    }
}

/// End of the packet, from its payload length. That is 0 in a jumbogram (RFC 2675), and in an invalid packet
/// that looks like one, which receivers read up to the end of the frame. `None` for another version, and for
/// a packet that is cut: it and its trailer have `len` bytes, of which `packet` are visible.
pub fn end_of(packet: &[u8], len: usize) -> Option<usize> {
    if packet.first()? >> 4 != 6 {
        return None;
    }
    let payload = usize::from(be16(packet, 4)?);
    if payload == 0 && *packet.get(6)? == HOP_BY_HOP {
        return Some(len);
    }
    Some(IPV6_HEADER_LEN + payload).filter(|end| *end <= len)
}

/// Parses the extension headers of a packet up to `end`. `None` when they are cut, do not end in the first
/// fragment (RFC 7112), are too many, or are of an unknown kind.
pub fn upper(packet: &[u8], end: usize) -> Option<Upper> {
    let mut protocol = *packet.get(6)?;
    let mut start = IPV6_HEADER_LEN;
    let mut first_fragment = None;
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
                let (fragment, offset) = Fragment::parse(header?)?;
                if offset != 0 {
                    return Some(Upper::LaterFragment(fragment));
                }
                first_fragment = Some(fragment);
                8
            }
            FIRST_UNASSIGNED.. => return None,
            protocol if first_fragment.is_some() && header.is_none_or(<[u8]>::is_empty) => {
                let upper = Upper::Header { protocol, start, fragment: first_fragment };
                return (protocol == NO_NEXT_HEADER).then_some(upper);
            }
            protocol => return Some(Upper::Header { protocol, start, fragment: first_fragment }),
        };
        protocol = *header?.first()?;
        start += len;
    }
    None
}
