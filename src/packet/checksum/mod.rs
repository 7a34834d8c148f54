//! Completes the checksums that a guest's kernel leaves partial.
//!
//! A guest behind a veth or a tap leaves the last step of a checksum to "the hardware" (Linux
//! `CHECKSUM_PARTIAL`, Documentation/networking/checksum-offloads.rst), and XDP discards that mark. The next
//! stack would drop the packet, so the sum is completed here. A sum is partial if its field has this value:
//!
//! | header | partial when the field is | specification |
//! |---|---|---|
//! | TCP, UDP | the folded sum of the pseudo-header | RFC 9293, 3.1; RFC 768; RFC 8200, 8.1 |
//! | GRE with a checksum | 0 | RFC 2784, 2.1 |
//! | SCTP | 0 (a `CRC32c`) | RFC 9260, 6.8 |
//!
//! A complete checksum that happens to have that value is computed again, to the same value: no correct
//! checksum changes.
//!
//! In a tunnelled packet any header can have the partial sum, and the sum of an outer header is right only
//! after the inner ones are complete (Linux, local checksum offload): the innermost is completed first.

mod field;

pub(super) use field::compute;

use super::bytes::be16;
use super::internet_sum::{fold, sum_be16};
use super::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM, IPV4_HEADER_LEN,
    IPV6_HEADER_LEN, MORE_FRAGMENTS_OR_OFFSET, packet,
};
use super::layers::{Kind, Layer, Layers, PseudoHeader, is_tunnel_port};
use crate::types::protocol;

/// What was done to the checksums of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// None was partial, as far as the fields show.
    NotPartial,
    /// At least one was partial and is complete now.
    Completed,
    /// The innermost header is after the first chunk, or after more IP headers than are parsed. The frame is
    /// unchanged.
    OutOfReach,
}

/// Completes the partial checksums of a frame: of TCP, UDP and SCTP, after any number of tags, and inside of
/// IP in IP, GRE, VXLAN, Geneve and MPLS. Fragments, malformed packets and all others are unchanged.
///
/// The headers are in the first chunk, `first`; the frame may continue in `rest`.
#[inline]
pub fn complete<'a>(first: &mut [u8], rest: impl Iterator<Item = &'a [u8]> + Clone) -> Completion {
    let Some((ethertype, ip)) = packet(first) else { return Completion::NotPartial };
    if !matches!(ethertype, ETHERTYPE_IPV4 | ETHERTYPE_IPV6 | ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM) {
        return Completion::NotPartial;
    }
    complete_packet(first, rest, ethertype, ip)
}

/// Not inlined, so that frames without IP cost only the comparison of the EtherType.
#[inline(never)]
fn complete_packet<'a>(
    first: &mut [u8],
    rest: impl Iterator<Item = &'a [u8]> + Clone,
    ethertype: u16,
    ip: usize,
) -> Completion {
    let frame_len = first.len() + rest.clone().map(<[u8]>::len).sum::<usize>();
    match plain_segment(first, ethertype, ip, frame_len) {
        Some(segment) => complete_layer(&segment, first, rest),
        None => complete_layers(first, &rest, frame_len),
    }
}

/// The checksum of an IPv4 header (RFC 791, 3.1), whose checksum field must be 0.
#[must_use]
pub fn of_ipv4_header(header: &[u8]) -> u16 {
    !fold(sum_be16(header))
}

/// The segment in the most common kind of frame: TCP, or UDP that belongs to no tunnel, directly after an IP
/// header without options, which is at `ip`. `None` for all others, which [`Layers`] parses.
#[inline]
fn plain_segment(first: &[u8], ethertype: u16, ip: usize, frame_len: usize) -> Option<Layer> {
    const VERSION_4_NO_OPTIONS: u8 = 0x45;
    let packet = first.get(ip..)?;
    let (protocol, addresses, header_len, packet_len) = match ethertype {
        ETHERTYPE_IPV4 => {
            let header = packet.first_chunk::<IPV4_HEADER_LEN>()?;
            if header[0] != VERSION_4_NO_OPTIONS || be16(header, 6)? & MORE_FRAGMENTS_OR_OFFSET != 0 {
                return None;
            }
            (header[9], &header[12..], IPV4_HEADER_LEN, usize::from(be16(header, 2)?))
        }
        ETHERTYPE_IPV6 => {
            let header = packet.first_chunk::<IPV6_HEADER_LEN>()?;
            let payload_len = usize::from(be16(header, 4)?);
            let is_ipv6 = header[0] >> 4 == 6;
            is_ipv6.then_some((header[6], &header[8..], IPV6_HEADER_LEN, IPV6_HEADER_LEN + payload_len))?
        }
        _ => return None,
    };
    let segment = packet.get(header_len..)?;
    let pseudo_header = PseudoHeader::new(addresses, protocol);
    let (kind, shortest) = match protocol {
        protocol::TCP => (Kind::Tcp(pseudo_header), 20),
        protocol::UDP if !is_tunnel_port(be16(segment, 2)?) => (Kind::Udp(pseudo_header), 8),
        _ => return None,
    };
    let is_whole =
        segment.len() >= shortest && packet_len >= header_len + shortest && ip + packet_len <= frame_len;
    is_whole.then_some(Layer { kind, start: ip + header_len, end: ip + packet_len })
}

#[inline]
fn complete_layer<'a>(layer: &Layer, first: &mut [u8], rest: impl Iterator<Item = &'a [u8]>) -> Completion {
    if !field::is_partial(layer, first) {
        return Completion::NotPartial;
    }
    field::compute(layer, first, rest);
    Completion::Completed
}

#[cold]
fn complete_layers<'a>(
    first: &mut [u8],
    rest: &(impl Iterator<Item = &'a [u8]> + Clone),
    frame_len: usize,
) -> Completion {
    let Ok(layers) = Layers::of(first, frame_len) else { return Completion::OutOfReach };
    let mut completion = Completion::NotPartial;
    for layer in layers.innermost_first() {
        if complete_layer(layer, first, rest.clone()) == Completion::Completed {
            completion = Completion::Completed;
        }
    }
    completion
}
