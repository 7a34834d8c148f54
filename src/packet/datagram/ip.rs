//! The headers of IPv4 and IPv6.

use super::icmp;
use super::upper::{Segment, part};
use super::{Address, Asker, Datagram, End, Part, Talk, Unreadable};
use crate::packet::bytes::be16;
use crate::packet::extension_headers::{Fragment, Upper, end_of, upper};
use crate::packet::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, MORE_FRAGMENTS, OFFSET, ipv4_payload};
use crate::types::Family;

/// Parses an IPv4 packet (RFC 791, 3.1), which has `len` bytes with its trailer, `bytes` of them visible.
#[inline]
pub(super) fn ipv4(bytes: &[u8], len: usize) -> Result<Datagram, Unreadable> {
    let (talk, field, start) = ipv4_header(bytes)?;
    let end = usize::from(be16(bytes, 2).ok_or(Unreadable)?);
    if end < start || end > len {
        return Err(Unreadable);
    }
    let identification = be16(bytes, 4).map(u32::from);
    if field & OFFSET != 0 {
        return Ok(later_fragment(talk, identification));
    }
    let fragment = identification.filter(|_| field & MORE_FRAGMENTS != 0);
    let segment = Segment::new(bytes, start, end)?.first_of(fragment);
    finish(talk, segment)
}

/// Addresses and protocol, the field with the fragment's place, and the length of the header.
#[inline]
fn ipv4_header(bytes: &[u8]) -> Result<(Talk, u16, usize), Unreadable> {
    let header: &[u8; IPV4_HEADER_LEN] = bytes.first_chunk().ok_or(Unreadable)?;
    let start = ipv4_payload(header).ok_or(Unreadable)?;
    let [_, _, _, _, _, _, high, low, _, protocol, _, _, addresses @ ..] = *header;
    let addresses = u64::from_be_bytes(addresses);
    let end = |address: u64| End { address: Address::v4(address as u32), port: 0 };
    let talk = Talk {
        family: Family::Ipv4,
        protocol,
        source: end(addresses >> 32),
        destination: end(addresses),
        asker: Asker::Either,
    };
    Ok((talk, u16::from_be_bytes([high, low]), start))
}

/// Parses an IPv6 packet (RFC 8200, 3), which has `len` bytes with its trailer, `bytes` of them visible.
pub(super) fn ipv6(bytes: &[u8], len: usize) -> Result<Datagram, Unreadable> {
    let talk = ipv6_addresses(bytes)?;
    let end = end_of(bytes, len).ok_or(Unreadable)?;
    match upper(bytes, end).ok_or(Unreadable)? {
        Upper::LaterFragment(Fragment { identification, .. }) => {
            Ok(later_fragment(talk, Some(identification)))
        }
        Upper::Header { protocol, start, fragment } => {
            // A packet in one fragment is a whole one.
            let fragment = fragment.filter(|fragment| !fragment.is_last);
            let segment = Segment::new(bytes, start, end)?;
            let segment = segment.first_of(fragment.map(|fragment| fragment.identification));
            finish(Talk { protocol, ..talk }, segment)
        }
    }
}

fn ipv6_addresses(bytes: &[u8]) -> Result<Talk, Unreadable> {
    let header: &[u8; IPV6_HEADER_LEN] = bytes.first_chunk().ok_or(Unreadable)?;
    let end = |at: usize| {
        let octets = header.get(at..).and_then(<[u8]>::first_chunk);
        octets
            .map(|octets| End { address: Address::v6(u128::from_be_bytes(*octets)), port: 0 })
            .ok_or(Unreadable)
    };
    Ok(Talk {
        family: Family::Ipv6,
        protocol: 0,
        source: end(8)?,
        destination: end(24)?,
        asker: Asker::Either,
    })
}

/// Without a protocol: the first fragment alone tells it for certain (RFC 8200, 4.5).
const fn later_fragment(talk: Talk, identification: Option<u32>) -> Datagram {
    Datagram {
        talk: Talk { protocol: 0, ..talk },
        part: Part::LaterFragment,
        selector: 0,
        fragment: identification,
    }
}

#[inline]
fn finish(talk: Talk, segment: Segment<'_>) -> Result<Datagram, Unreadable> {
    let (talk, part, selector) = part(talk, segment)?;
    Ok(Datagram { talk, part, selector, fragment: segment.fragment })
}

/// The conversation that an ICMP error of IPv4 is about.
pub(super) fn quoted_by_ipv4(packet: &[u8]) -> Result<Talk, Unreadable> {
    let (_, _, start) = ipv4_header(packet)?;
    let end = packet.len().min(be16(packet, 2).ok_or(Unreadable)?.into());
    quoted(Family::Ipv4, packet.get(start + icmp::HEADER_LEN..end).ok_or(Unreadable)?)
}

/// The conversation that an ICMP error of IPv6 is about.
pub(super) fn quoted_by_ipv6(packet: &[u8]) -> Result<Talk, Unreadable> {
    // Without the trailer of the frame; the rest of a packet may be in other chunks.
    let end = packet.len().min(end_of(packet, usize::MAX).ok_or(Unreadable)?);
    let Some(Upper::Header { start, .. }) = upper(packet, end) else { return Err(Unreadable) };
    quoted(Family::Ipv6, packet.get(start + icmp::HEADER_LEN..end).ok_or(Unreadable)?)
}

/// The conversation of a packet that an ICMP error quotes: its header, and at least the first 8 bytes behind
/// it (RFC 792; RFC 4443, 3), whatever is missing behind these.
fn quoted(family: Family, bytes: &[u8]) -> Result<Talk, Unreadable> {
    let (talk, start) = match family {
        Family::Ipv4 => {
            let (talk, field, start) = ipv4_header(bytes)?;
            if field & OFFSET != 0 {
                return Err(Unreadable);
            }
            (talk, start)
        }
        Family::Ipv6 => {
            let talk = ipv6_addresses(bytes)?;
            let Some(Upper::Header { protocol, start, .. }) = upper(bytes, bytes.len()) else {
                return Err(Unreadable);
            };
            (Talk { protocol, ..talk }, start)
        }
    };
    super::upper::quoted(talk, bytes.get(start..).ok_or(Unreadable)?)
}
