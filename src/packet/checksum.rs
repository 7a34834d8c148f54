//! Completing a partial TCP or UDP checksum.
//!
//! A guest behind a veth or a tap leaves the sum to "the hardware": its checksum field holds only the folded sum of
//! the pseudo-header (Linux `CHECKSUM_PARTIAL`, Documentation/networking/checksum-offloads.rst), and that note is
//! lost on the way through XDP. The next stack would drop the segment, so the sum is completed here (RFC 1071;
//! pseudo-headers: RFC 9293, 3.1; RFC 768; RFC 8200, 8.1).
//!
//! A field is taken for partial when it equals the pseudo-header's sum. A finished checksum that happens to have
//! that value is computed again to the same value, so nothing correct is ever changed.

use super::be16;
use super::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV6_HEADER_LEN, PROTOCOL_TCP, PROTOCOL_UDP, ipv4_payload, ipv6_payload,
    packet,
};

/// A TCP or UDP segment in a frame: where it is, and what its pseudo-header sums to.
struct Segment {
    start: usize,
    end: usize,
    /// Offset of the checksum field in the segment.
    field: usize,
    protocol: u8,
    /// Folded, not complemented.
    pseudo_sum: u16,
}

/// Completes the checksum of the TCP or UDP segment in a frame, behind any number of tags, if it is partial. Fragments,
/// malformed packets and everything else are left as they are. Returns whether it was partial.
///
/// The headers are in `first`; the frame may go on in `rest`.
#[inline]
pub fn complete<'a>(first: &mut [u8], rest: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    let Some(segment) = find_segment(first, frame_len(first, &rest)) else { return false };
    let partial = be16(first, segment.start + segment.field) == Some(segment.pseudo_sum);
    partial && segment.finish(first, rest)
}

/// Computes the checksum of the TCP or UDP segment in a frame, whatever the field holds. Returns whether there is such a
/// segment.
pub fn compute<'a>(first: &mut [u8], rest: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    find_segment(first, frame_len(first, &rest)).is_some_and(|segment| {
        segment.write(first, segment.pseudo_sum);
        segment.finish(first, rest)
    })
}

/// The checksum of an IPv4 header (RFC 791, 3.1), whose own field must hold 0.
#[must_use]
pub fn of_ipv4_header(header: &[u8]) -> u16 {
    !fold(sum_be16(header))
}

impl Segment {
    /// Completes the field, which holds the pseudo-header's part of the sum.
    fn finish<'a>(&self, first: &mut [u8], rest: impl Iterator<Item = &'a [u8]>) -> bool {
        let Some(begin) = first.get(self.start..self.end.min(first.len())) else { return false };
        let mut left = self.end - self.start - begin.len();
        let (mut sum, mut odd) = (sum_be16(begin), begin.len() % 2 == 1);
        for piece in rest {
            let piece = piece.get(..left).unwrap_or(piece);
            let part = fold(sum_be16(piece));
            // Behind an odd number of bytes a piece begins in the middle of a word (RFC 1071, 2(B)).
            sum += u64::from(if odd { part.swap_bytes() } else { part });
            odd ^= piece.len() % 2 == 1;
            left -= piece.len();
        }
        let sum = match !fold(sum) {
            0 if self.protocol == PROTOCOL_UDP => 0xffff, // 0 would say "no checksum" (RFC 768)
            sum => sum,
        };
        self.write(first, sum);
        true
    }

    fn write(&self, first: &mut [u8], sum: u16) {
        if let Some(field) = first.get_mut(self.start + self.field..).and_then(<[u8]>::first_chunk_mut) {
            *field = sum.to_be_bytes();
        }
    }
}

fn frame_len<'a>(first: &[u8], rest: &(impl Iterator<Item = &'a [u8]> + Clone)) -> usize {
    first.len() + rest.clone().map(<[u8]>::len).sum::<usize>()
}

/// `first` has the headers of a frame of `frame_len` bytes.
fn find_segment(first: &[u8], frame_len: usize) -> Option<Segment> {
    let (ethertype, start) = packet(first)?;
    let packet = first.get(start..)?;
    let segment = match ethertype {
        ETHERTYPE_IPV4 => ipv4_segment(packet)?,
        ETHERTYPE_IPV6 => ipv6_segment(packet)?,
        _ => return None,
    };
    let segment = Segment { start: start + segment.start, end: start + segment.end, ..segment };
    (segment.end <= frame_len).then_some(segment)
}

fn ipv4_segment(packet: &[u8]) -> Option<Segment> {
    const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
    let start = ipv4_payload(packet)?;
    let end = usize::from(be16(packet, 2)?);
    if be16(packet, 6)? & MORE_FRAGMENTS_OR_OFFSET != 0 {
        return None;
    }
    segment(packet, start..end, *packet.get(9)?, packet.get(12..20)?)
}

fn ipv6_segment(packet: &[u8]) -> Option<Segment> {
    // A routing header that still has a way to go makes the pseudo-header's destination another one: the sums
    // differ then, and the field is left alone.
    let (protocol, start) = ipv6_payload(packet)?;
    let end = IPV6_HEADER_LEN + usize::from(be16(packet, 4)?);
    segment(packet, start..end, protocol, packet.get(8..IPV6_HEADER_LEN)?)
}

fn segment(packet: &[u8], at: std::ops::Range<usize>, protocol: u8, addresses: &[u8]) -> Option<Segment> {
    let (field, header_len) = match protocol {
        PROTOCOL_TCP => (16, 20),
        PROTOCOL_UDP => (6, 8),
        _ => return None,
    };
    let len = at.end.checked_sub(at.start).filter(|len| *len >= header_len)?;
    // The fields that are looked at are there.
    packet.get(at.start..at.start + header_len)?;
    // The upper half of a 32-bit length is 0: no frame is that long.
    let pseudo_sum = fold(sum_be16(addresses) + u64::from(protocol) + len as u64);
    Some(Segment { start: at.start, end: at.end, field, protocol, pseudo_sum })
}

/// The sum of `bytes` as big-endian 16-bit words, an odd last byte padded with 0. No frame is long enough to
/// overflow it.
fn sum_be16(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(4);
    // Adding 32-bit words and folding later gives the same one's complement sum in half the additions.
    let sum: u64 = words
        .by_ref()
        .map(|word| word.first_chunk().map_or(0, |word| u64::from(u32::from_be_bytes(*word))))
        .sum();
    match *words.remainder() {
        [] => sum,
        [a] => sum + u64::from(u16::from_be_bytes([a, 0])),
        [a, b] => sum + u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, ..] => sum + u64::from(u16::from_be_bytes([a, b])) + u64::from(u16::from_be_bytes([c, 0])),
    }
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    /// An IPv4 UDP packet from RFC 1071-style first principles: the sum over pseudo-header and segment is 0xffff.
    fn is_complete(frame: &[u8]) -> bool {
        let segment = find_segment(frame, frame.len()).expect("a segment");
        let bytes = &frame[segment.start..segment.end];
        let addresses_protocol_len = u64::from(segment.pseudo_sum);
        fold(sum_be16(bytes) + addresses_protocol_len) == 0xffff
    }

    fn ip_frame(tags: &[u16], v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in tags {
            frame.extend([0x81, 0, (tag >> 8) as u8, *tag as u8]);
        }
        let header_len = if protocol == PROTOCOL_TCP { 20 } else { 8 };
        let len = u16::try_from(header_len + payload.len()).unwrap();
        if v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(len.to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend(0..32);
        } else {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((len + 20).to_be_bytes());
            frame.extend([0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        let segment = frame.len();
        frame.extend(vec![7; header_len]);
        frame.extend(payload);
        let found = find_segment(&frame, frame.len()).unwrap();
        assert_eq!((found.start, found.end), (segment, frame.len()));
        let sum = found.pseudo_sum.to_be_bytes();
        frame[segment + found.field..][..2].copy_from_slice(&sum);
        frame
    }

    #[test]
    fn partial_sums_are_completed_for_both_protocols_both_families_and_behind_tags() {
        for tags in [&[][..], &[100], &[100, 7], &[1, 2, 3]] {
            for v6 in [false, true] {
                for protocol in [PROTOCOL_TCP, PROTOCOL_UDP] {
                    for len in 0..70_u8 {
                        let mut frame = ip_frame(tags, v6, protocol, &(0..len).collect::<Vec<_>>());
                        assert!(complete(&mut frame, iter::empty()));
                        assert!(is_complete(&frame), "{tags:?} v6 {v6} protocol {protocol} length {len}");
                        let once = frame.clone();
                        complete(&mut frame, iter::empty());
                        assert_eq!(frame, once, "completing is idempotent");
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_in_pieces_has_the_sum_of_the_whole() {
        for protocol in [PROTOCOL_TCP, PROTOCOL_UDP] {
            let partial = ip_frame(&[100], false, protocol, &(0..255).collect::<Vec<_>>());
            let mut whole = partial.clone();
            assert!(complete(&mut whole, iter::empty()));
            for first in [60, 61, 64, 200] {
                for piece in [1, 2, 3, 7, 64] {
                    let (mut first, rest) = (partial[..first].to_vec(), &partial[first..]);
                    assert!(complete(&mut first, rest.chunks(piece)));
                    assert_eq!(first, whole[..first.len()]);
                    // A change that the old sum does not go with.
                    first[partial.len() - 255 - 1] ^= 1;
                    assert!(compute(&mut first, rest.chunks(piece)));
                    assert!(is_complete(&[&first, rest].concat()));
                }
            }
        }
    }

    #[test]
    fn an_ethernet_trailer_is_not_part_of_the_sum() {
        let mut frame = ip_frame(&[], false, PROTOCOL_UDP, b"abc");
        let mut padded = frame.clone();
        padded.extend([0xff; 19]);
        complete(&mut frame, iter::empty());
        complete(&mut padded, iter::empty());
        assert_eq!(padded[..frame.len()], frame[..]);
    }

    #[test]
    fn fragments_and_finished_or_absent_sums_stay() {
        let partial = ip_frame(&[], false, PROTOCOL_UDP, b"payload");
        let mut fragment = partial.clone();
        fragment[20] |= 0x20; // more fragments
        let mut finished = partial.clone();
        finished[40..42].copy_from_slice(&[0x12, 0x34]);
        let mut absent = partial.clone();
        absent[40..42].copy_from_slice(&[0, 0]);
        for mut frame in [fragment, finished, absent] {
            let before = frame.clone();
            assert!(!complete(&mut frame, iter::empty()));
            assert_eq!(frame, before);
        }
    }

    #[test]
    fn a_packet_that_lies_about_its_lengths_is_left_alone() {
        let whole = ip_frame(&[100], true, PROTOCOL_TCP, b"payload");
        for len in 0..whole.len() {
            let mut cut = whole[..len].to_vec();
            assert!(!complete(&mut cut, iter::empty()), "{len} bytes of {}", whole.len());
            assert_eq!(cut, whole[..len]);
        }
    }
}
