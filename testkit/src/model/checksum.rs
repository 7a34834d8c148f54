//! Completes partial checksums the long way: the checksum is computed again from an explicit pseudo-header.

use crate::frames::ones_complement_sum;

/// Position of a TCP or UDP segment in an IP packet, its protocol, and the addresses of the packet.
struct Segment {
    start: usize,
    end: usize,
    protocol: u8,
    addresses: Vec<u8>,
}

/// Completes the checksum of a TCP or UDP segment behind any tags, if the field holds the sum of the
/// pseudo-header.
pub fn complete(frame: &mut [u8]) {
    let Some((at, ethertype)) = packet(frame) else { return };
    let packet = &mut frame[at..];
    let segment = match ethertype {
        0x0800 => ipv4(packet),
        0x86dd => ipv6(packet),
        _ => None,
    };
    if let Some(segment) = segment {
        complete_segment(packet, &segment);
    }
}

fn complete_segment(packet: &mut [u8], segment: &Segment) {
    let Some(bytes) = packet.get_mut(segment.start..segment.end) else { return };
    let (field, header_len) = match segment.protocol {
        6 => (16, 20),
        17 => (6, 8),
        _ => return,
    };
    if bytes.len() < header_len {
        return;
    }
    let len = (bytes.len() as u16).to_be_bytes();
    let pseudo = [&segment.addresses[..], &[0, segment.protocol], &len].concat();
    if bytes[field..field + 2] != ones_complement_sum(&pseudo).to_be_bytes() {
        return;
    }
    bytes[field..field + 2].fill(0);
    let sum = !ones_complement_sum(&[&pseudo[..], bytes].concat());
    let sum = if sum == 0 && segment.protocol == 17 { 0xffff } else { sum };
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Offset of the packet behind the tags, and its EtherType.
fn packet(frame: &[u8]) -> Option<(usize, u16)> {
    let mut at = 12;
    loop {
        let ethertype = u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]);
        match ethertype {
            0x8100 | 0x88a8 => at += 4,
            _ => return Some((at + 2, ethertype)),
        }
    }
}

fn ipv4(packet: &[u8]) -> Option<Segment> {
    let header = packet.get(..20)?;
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let header_len = usize::from(header[0] & 15) * 4;
    if header[0] >> 4 != 4 || header_len < 20 || is_fragment {
        return None;
    }
    let end = usize::from(u16::from_be_bytes([header[2], header[3]]));
    Some(Segment { start: header_len, end, protocol: header[9], addresses: header[12..20].to_vec() })
}

fn ipv6(packet: &[u8]) -> Option<Segment> {
    let header = packet.get(..40)?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let end = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let (mut start, mut protocol) = (40, header[6]);
    // Hop-by-hop, routing, destination options.
    while matches!(protocol, 0 | 43 | 60) {
        protocol = *packet.get(start)?;
        start += 8 + 8 * usize::from(*packet.get(start + 1)?);
    }
    Some(Segment { start, end, protocol, addresses: header[8..40].to_vec() })
}
