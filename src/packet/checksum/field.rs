//! The checksum field of one header: whether it is partial, and its value.

use std::iter;
use std::ops::Range;

use crate::packet::bytes::be16;
use crate::packet::internet_sum::sum_of_slices;
use crate::packet::layers::{Kind, Layer};

/// Offset of the `CRC32c` in an SCTP header (RFC 9260, 3).
const SCTP_CHECKSUM: usize = 8;

/// A 16-bit checksum field: its offset in the header, and its value before the sum of the bytes is added.
#[inline]
fn internet_field(layer: &Layer) -> Option<(usize, u16)> {
    match layer.kind {
        Kind::Tcp(pseudo_header) => Some((16, pseudo_header.sum(layer.len()))),
        Kind::Udp(pseudo_header) => Some((6, pseudo_header.sum(layer.len()))),
        Kind::Gre { has_checksum: true, .. } => Some((4, 0)),
        Kind::Ipv4 | Kind::Ipv6 | Kind::Sctp | Kind::Gre { has_checksum: false, .. } => None,
    }
}

/// Whether the checksum field of `layer` has the value that a kernel leaves there when it has not computed
/// the sum.
#[inline]
pub fn is_partial(layer: &Layer, first: &[u8]) -> bool {
    if let Some((offset, initial)) = internet_field(layer) {
        return be16(first, layer.start + offset) == Some(initial);
    }
    layer.kind == Kind::Sctp
        && first.get(layer.start + SCTP_CHECKSUM..).and_then(<[u8]>::first_chunk) == Some(&[0; 4])
}

/// Computes the checksum of `layer`, if it has one, regardless of the value of its field.
#[inline]
pub fn compute<'a>(layer: &Layer, first: &mut [u8], rest: impl Iterator<Item = &'a [u8]>) {
    if let Some((offset, initial)) = internet_field(layer) {
        let field = layer.start + offset;
        write(first, field, initial.to_be_bytes());
        let sum = match !sum_of_slices(slices(first, rest, layer.start..layer.end)) {
            0 if matches!(layer.kind, Kind::Udp(_)) => 0xffff, // 0 means "no checksum" (RFC 768)
            sum => sum,
        };
        write(first, field, sum.to_be_bytes());
    } else if layer.kind == Kind::Sctp {
        let field = layer.start + SCTP_CHECKSUM;
        write(first, field, [0; 4]);
        let slices = slices(first, rest, layer.start..layer.end);
        let crc = slices.fold(0, crc32c::crc32c_append);
        // In little-endian order (RFC 9260, appendix A).
        write(first, field, crc.to_le_bytes());
    }
}

/// The bytes in `range`, which begins in `first`.
fn slices<'p, 'a: 'p>(
    first: &'p [u8],
    rest: impl Iterator<Item = &'a [u8]>,
    range: Range<usize>,
) -> impl Iterator<Item = &'p [u8]> {
    let begin = first.get(range.start..range.end.min(first.len())).unwrap_or_default();
    let mut left = range.len() - begin.len();
    iter::once(begin).chain(rest.map(move |slice: &'a [u8]| -> &'p [u8] {
        let slice = slice.get(..left).unwrap_or(slice);
        left -= slice.len();
        slice
    }))
}

fn write<const N: usize>(bytes: &mut [u8], offset: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(offset..).and_then(<[u8]>::first_chunk_mut) {
        *field = value;
    }
}
