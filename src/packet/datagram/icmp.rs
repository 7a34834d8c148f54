//! ICMP (RFC 792, RFC 950) and `ICMPv6` (RFC 4443).

use super::upper::Segment;
use super::{Asker, Part, Talk, Unreadable};
use crate::types::Family;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A question; its replies have the same identifier.
    Request,
    /// The reply to the request of this type.
    Reply(u8),
    /// About another packet, which it quotes.
    Error,
    Other,
}

const fn kind_of(family: Family, message: u8) -> Kind {
    match (family, message) {
        // Echo, timestamp, information, address mask.
        (Family::Ipv4, 8 | 13 | 15 | 17) | (Family::Ipv6, 128) => Kind::Request,
        (Family::Ipv4, 0) => Kind::Reply(8),
        (Family::Ipv4, 14 | 16 | 18) => Kind::Reply(message - 1),
        (Family::Ipv6, 129) => Kind::Reply(128),
        // Unreachable, source quench, redirect, time exceeded, parameter problem; in the other version all
        // without the high bit (RFC 4443, 2.1).
        (Family::Ipv4, 3 | 4 | 5 | 11 | 12) | (Family::Ipv6, 0..=127) => Kind::Error,
        (Family::Ipv4 | Family::Ipv6, _) => Kind::Other,
    }
}

/// Bytes before the quoted packet, or before the data of a request.
pub(super) const HEADER_LEN: usize = 8;

pub(super) fn part(talk: Talk, segment: Segment<'_>) -> Result<(Talk, Part, u16), Unreadable> {
    let [message, code, _, _] = *segment.header::<4>()?;
    let selector = u16::from_be_bytes([message, code]);
    let (talk, part) = match kind_of(talk.family, message) {
        Kind::Request => (asking(talk, message, segment)?, Part::Data),
        Kind::Reply(request) => (answering(talk, request, segment)?, Part::Reply),
        Kind::Error => (talk, Part::Error),
        Kind::Other => (talk, Part::Message),
    };
    Ok((talk, part, selector))
}

pub(super) fn quoted(talk: Talk, segment: Segment<'_>) -> Result<Talk, Unreadable> {
    let [message, ..] = *segment.header::<HEADER_LEN>()?;
    match kind_of(talk.family, message) {
        Kind::Request => asking(talk, message, segment),
        Kind::Reply(request) => answering(talk, request, segment),
        // No error is about an error (RFC 1122, 3.2.2), and other messages have no conversation.
        Kind::Error | Kind::Other => Err(Unreadable),
    }
}

fn asking(mut talk: Talk, request: u8, segment: Segment<'_>) -> Result<Talk, Unreadable> {
    talk.source.port = identifier(segment)?;
    talk.destination.port = request.into();
    Ok(Talk { asker: Asker::Source, ..talk })
}

fn answering(mut talk: Talk, request: u8, segment: Segment<'_>) -> Result<Talk, Unreadable> {
    talk.source.port = request.into();
    talk.destination.port = identifier(segment)?;
    Ok(Talk { asker: Asker::Destination, ..talk })
}

fn identifier(segment: Segment<'_>) -> Result<u16, Unreadable> {
    let [_, _, _, _, high, low, _, _] = *segment.header::<HEADER_LEN>()?;
    Ok(u16::from_be_bytes([high, low]))
}
