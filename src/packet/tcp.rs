//! Cutting a TCP packet that is too long for a link into segments that fit, inside of tunnels too.
//!
//! A VM sends packets of up to 64 KiB and leaves it to "the hardware" to cut them (TSO). XDP discards the
//! intended length of the segments, so each is as long as the link accepts. A segment begins with all headers
//! of the packet, and these fields are rewritten: RFC 9293, 3.1 (sequence number, PSH, FIN), RFC 3168, 6.1.2
//! (CWR), RFC 6864 (IPv4 identification), lengths, and the checksums of TCP, UDP and GRE.

use std::ops::Range;

use super::bytes::be16;
use super::checksum;
use super::ip::{IPV6_HEADER_LEN, packet};
use super::layers::{Kind, Layer, Layers};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;
/// Offset of the flags in a TCP header.
const FLAGS: usize = 13;

/// A TCP packet that is longer than a link accepts. All offsets are in the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongTcp {
    /// The innermost layer is TCP.
    layers: Layers,
    payload: usize,
    end: usize,
    /// Bytes of payload in each segment but the last.
    segment_bytes: usize,
}

impl LongTcp {
    /// Parses a frame of `frame_len` bytes whose first chunk is `first`, with any number of tags. `None` if
    /// its packet is not longer than `mtu_bytes`, not TCP, sent to a group, or cannot be cut: a fragment, one
    /// with SYN, RST or URG, one in a GRE tunnel with sequence numbers, a malformed one, or one whose headers
    /// leave no room for payload.
    #[must_use]
    pub fn find(first: &[u8], frame_len: usize, mtu_bytes: usize) -> Option<Self> {
        const GROUP: u8 = 1;
        if first.first()? & GROUP != 0 {
            return None;
        }
        let (_, packet) = packet(first)?;
        let layers = Layers::of(first, frame_len).ok()?;
        let tcp = layers.innermost().filter(|layer| matches!(layer.kind, Kind::Tcp(_)))?;
        let (tcp, end) = (tcp.start, tcp.end);
        let payload = tcp + tcp_header_len(first.get(tcp..)?)?;
        let segment_bytes = (packet + mtu_bytes).checked_sub(payload).filter(|bytes| *bytes > 0)?;
        let can_be_cut = layers.outermost_first().all(|layer| !has_sequence(layer));
        (can_be_cut && end - packet > mtu_bytes && payload <= first.len()).then_some(Self {
            layers,
            payload,
            end,
            segment_bytes,
        })
    }

    /// Range of the headers, which each segment begins with.
    #[must_use]
    pub const fn headers(&self) -> Range<usize> {
        0..self.payload
    }

    /// Range of the payload of each segment, in order.
    #[must_use]
    pub fn payloads(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let Self { payload, end, segment_bytes, .. } = *self;
        (payload..end).step_by(segment_bytes).map(move |start| start..end.min(start + segment_bytes))
    }

    /// Rewrites the headers for the segment with this payload. `first` and `rest` are the chunks of the
    /// segment: a copy of the original headers and of that payload.
    pub fn finish<'a>(
        &self,
        payload: &Range<usize>,
        first: &mut [u8],
        rest: &(impl Iterator<Item = &'a [u8]> + Clone),
    ) {
        let offset = payload.start - self.payload;
        let end = self.payload + payload.len();
        for layer in self.layers.innermost_first() {
            let layer = Layer { end, ..*layer };
            let Some(header) = first.get_mut(layer.start..self.payload) else { continue };
            let has_checksum = match layer.kind {
                Kind::Tcp(_) => {
                    write_tcp(header, offset, offset == 0, payload.end == self.end);
                    true
                }
                Kind::Udp(_) => {
                    set_be16(header, 4, layer.len());
                    be16(header, 6) != Some(0)
                }
                Kind::Ipv4 => {
                    write_ipv4(header, layer.len(), offset / self.segment_bytes);
                    false
                }
                Kind::Ipv6 => {
                    set_be16(header, 4, layer.len() - IPV6_HEADER_LEN);
                    false
                }
                Kind::Gre { .. } | Kind::Sctp => true,
            };
            if has_checksum {
                checksum::compute(&layer, first, rest.clone());
            }
        }
    }
}

/// Whether each packet of this layer needs a number of its own: receivers ignore packets with an equal
/// number.
const fn has_sequence(layer: &Layer) -> bool {
    matches!(layer.kind, Kind::Gre { has_sequence: true, .. })
}

/// The length of a TCP header with its options; `None` if the packet cannot be cut.
fn tcp_header_len(header: &[u8]) -> Option<usize> {
    let len = usize::from(header.get(12)? >> 4) * 4;
    (len >= 20 && header.get(FLAGS)? & (SYN | RST | URG) == 0).then_some(len)
}

/// Rewrites the IPv4 header at the start of `packet`, for segment number `segment`.
fn write_ipv4(packet: &mut [u8], packet_len: usize, segment: usize) {
    let header_len = packet.first().map_or(0, |version_ihl| usize::from(version_ihl & 0x0f) * 4);
    let Some(header) = packet.get_mut(..header_len) else { return };
    set_be16(header, 2, packet_len);
    let id = be16(header, 4).unwrap_or_default();
    set_be16(header, 4, usize::from(id.wrapping_add(segment as u16)));
    set_be16(header, 10, 0);
    let sum = checksum::of_ipv4_header(header);
    set_be16(header, 10, usize::from(sum));
}

fn write_tcp(header: &mut [u8], offset: usize, is_first: bool, is_last: bool) {
    if let Some(sequence) = header.get_mut(4..).and_then(<[u8]>::first_chunk_mut) {
        *sequence = u32::from_be_bytes(*sequence).wrapping_add(offset as u32).to_be_bytes();
    }
    if let Some(flags) = header.get_mut(FLAGS) {
        let of_the_first = if is_first { 0 } else { CWR };
        let of_the_last = if is_last { 0 } else { FIN | PSH };
        *flags &= !(of_the_first | of_the_last);
    }
}

/// Writes `value`, which is below 65536, as big-endian bytes.
fn set_be16(bytes: &mut [u8], offset: usize, value: usize) {
    if let Some(field) = bytes.get_mut(offset..).and_then(<[u8]>::first_chunk_mut) {
        *field = (value as u16).to_be_bytes();
    }
}
