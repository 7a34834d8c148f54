//! IPv4 and IPv6 headers, and the final destination of a source-routed packet, which is the one in the
//! pseudo-header (RFC 1122, 3.2.1.8; RFC 8200, 8.1).

use super::cursor::{Cursor, Next, Stop};
use super::layer::{Kind, PseudoHeader};
use crate::packet::bytes::be16;
use crate::packet::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, MORE_FRAGMENTS_OR_OFFSET};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;

pub(super) fn ipv4(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    let header: &[u8; IPV4_HEADER_LEN] = cursor.peek()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let packet_len = usize::from(field(header, 2)?);
    let is_valid = header[0] >> 4 == 4 && header_len >= IPV4_HEADER_LEN && packet_len >= header_len;
    if !is_valid || cursor.at + packet_len > cursor.end {
        return Err(Stop::Payload);
    }
    let options = cursor.bytes(IPV4_HEADER_LEN, header_len - IPV4_HEADER_LEN)?;
    cursor.end = cursor.at + packet_len;
    cursor.push(Kind::Ipv4)?;
    if field(header, 6)? & MORE_FRAGMENTS_OR_OFFSET != 0 {
        return Err(Stop::Payload);
    }
    let (protocol, mut addresses) = (header[9], [0; 8]);
    addresses.copy_from_slice(&header[12..]);
    if let Some(last) = last_of_source_route(options) {
        addresses[4..].copy_from_slice(&last);
    }
    let addresses = PseudoHeader::new(&addresses, protocol);
    Ok(cursor.skip(header_len, Next::Payload { protocol, addresses }))
}

/// The last address of a loose or strict source route, if the packet has not reached it (RFC 791, 3.1).
fn last_of_source_route(mut options: &[u8]) -> Option<[u8; 4]> {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    loop {
        match *options {
            [] | [END, ..] => return None,
            [NO_OPERATION, ..] => options = options.get(1..)?,
            [kind, len, ..] => {
                let (option, behind) = options.split_at_checked(usize::from(len).max(2))?;
                if let LOOSE | STRICT = kind {
                    // The pointer counts from 1.
                    let has_address_left = usize::from(*option.get(2)?) + 3 <= option.len();
                    return if has_address_left { option.last_chunk().copied() } else { None };
                }
                options = behind;
            }
            [_] => return None,
        }
    }
}

pub(super) fn ipv6(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    let header: &[u8; IPV6_HEADER_LEN] = cursor.peek()?;
    let packet_len = IPV6_HEADER_LEN + usize::from(field(header, 4)?);
    if header[0] >> 4 != 6 || cursor.at + packet_len > cursor.end {
        return Err(Stop::Payload);
    }
    cursor.end = cursor.at + packet_len;
    cursor.push(Kind::Ipv6)?;
    cursor.at += IPV6_HEADER_LEN;
    let (mut protocol, mut addresses) = (header[6], [0; 32]);
    addresses.copy_from_slice(&header[8..]);
    while let HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS = protocol {
        let [next, units] = *cursor.peek()?;
        let len = 8 * (1 + usize::from(units));
        if protocol == ROUTING
            && let Some(last) = last_of_route(cursor.bytes(0, len)?, addresses.last_chunk().copied())
        {
            addresses[16..].copy_from_slice(&last);
        }
        protocol = next;
        cursor.at += len;
    }
    Ok(Next::Payload { protocol, addresses: PseudoHeader::new(&addresses, protocol) })
}

/// The final destination in a routing header with segments left; `destination` is that of the IPv6 header.
/// `None` when the latter is the final one, and for types of routing headers that Linux does not send.
fn last_of_route(header: &[u8], destination: Option<[u8; 16]>) -> Option<[u8; 16]> {
    const ADDRESSES: usize = 8;
    const SOURCE_ROUTE: u8 = 0;
    const MOBILITY: u8 = 2;
    const RPL: u8 = 3;
    const SEGMENT_ROUTING: u8 = 4;
    let [_, _, kind, segments_left] = *header.first_chunk()?;
    let addresses = header.get(ADDRESSES..)?;
    match (segments_left, kind) {
        (0, _) => None,
        // RFC 2460, 4.4; RFC 6275, 6.4.
        (_, SOURCE_ROUTE | MOBILITY) => addresses.last_chunk().copied(),
        // The list of segments is in reverse order (RFC 8754, 2).
        (_, SEGMENT_ROUTING) => addresses.first_chunk().copied(),
        // The last address omits the bytes that it has in common with the destination, and padding follows it
        // (RFC 6554, 3).
        (_, RPL) => {
            let (common, padding) = (usize::from(header.get(4)? & 0x0f), usize::from(header.get(5)? >> 4));
            let mut last = destination?;
            let own = last.get_mut(common..)?;
            let end = addresses.len().checked_sub(padding)?;
            own.copy_from_slice(addresses.get(end.checked_sub(own.len())?..end)?);
            Some(last)
        }
        _ => None,
    }
}

fn field(header: &[u8], offset: usize) -> Result<u16, Stop> {
    be16(header, offset).ok_or(Stop::Payload)
}
