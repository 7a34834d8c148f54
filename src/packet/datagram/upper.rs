//! What follows the IP header.

use super::icmp;
use super::{Part, Talk, TcpFlags, Unreadable};
use crate::packet::bytes::be16;

use crate::types::Family;
use crate::types::protocol;

/// The rest of a packet, or of its first fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    /// The bytes of it that are in the first chunk.
    pub(super) visible: &'a [u8],
    /// Bytes of it in all chunks.
    pub(super) len: usize,
    /// The identification of the packet that it is the first fragment of.
    pub(super) fragment: Option<u32>,
}

impl<'a> Segment<'a> {
    #[inline]
    pub(super) fn new(packet: &'a [u8], start: usize, end: usize) -> Result<Self, Unreadable> {
        let visible = packet.get(start..end.min(packet.len())).ok_or(Unreadable)?;
        Ok(Self { visible, len: end - start, fragment: None })
    }

    #[inline]
    pub(super) const fn first_of(self, fragment: Option<u32>) -> Self {
        Self { fragment, ..self }
    }

    /// Its first `N` bytes, a header that is never shorter.
    #[inline]
    pub(super) fn header<const N: usize>(&self) -> Result<&'a [u8; N], Unreadable> {
        self.visible.first_chunk().ok_or(Unreadable)
    }
}

/// What a packet is, and what the ports of rules are compared with.
#[inline]
pub(super) fn part(talk: Talk, segment: Segment<'_>) -> Result<(Talk, Part, u16), Unreadable> {
    match (talk.protocol, talk.family) {
        (protocol::TCP, _) => {
            let (talk, destination) = with_ports(talk, segment.header::<20>()?);
            Ok((talk, Part::Tcp(tcp(segment)?), destination))
        }
        (protocol::UDP | protocol::UDP_LITE, _) => Ok(data(talk, segment.header::<8>()?)),
        (protocol::SCTP | protocol::DCCP, _) => Ok(data(talk, segment.header::<12>()?)),
        (protocol::ICMP, Family::Ipv4) | (protocol::ICMPV6, Family::Ipv6) => icmp::part(talk, segment),
        _ => Ok((talk, Part::Data, 0)),
    }
}

/// The conversation of a quoted packet, of which as little as 8 bytes are there.
pub(super) fn quoted(talk: Talk, visible: &[u8]) -> Result<Talk, Unreadable> {
    let segment = Segment { visible, len: visible.len(), fragment: None };
    match (talk.protocol, talk.family) {
        (protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP | protocol::DCCP, _) => {
            Ok(with_ports(talk, segment.header::<8>()?).0)
        }
        (protocol::ICMP, Family::Ipv4) | (protocol::ICMPV6, Family::Ipv6) => icmp::quoted(talk, segment),
        _ => Ok(talk),
    }
}

#[inline]
fn data(talk: Talk, header: &[u8]) -> (Talk, Part, u16) {
    let (talk, destination) = with_ports(talk, header);
    (talk, Part::Data, destination)
}

/// Adds the ports, which are the first four bytes of all these headers. Returns the destination's as well.
#[inline]
fn with_ports(mut talk: Talk, header: &[u8]) -> (Talk, u16) {
    talk.source.port = be16(header, 0).unwrap_or_default();
    talk.destination.port = be16(header, 2).unwrap_or_default();
    (talk, talk.destination.port)
}

/// The flags of a segment whose header is all there.
#[inline]
fn tcp(segment: Segment<'_>) -> Result<TcpFlags, Unreadable> {
    let header = segment.header::<20>()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < header.len() || header_len > segment.len {
        return Err(Unreadable);
    }
    Ok(TcpFlags::from_bits_truncate(header[13]))
}
