//! Cutting a TCP packet that is too long for a link into segments that fit.
//!
//! A VM hands over packets of up to 64 KiB and has "the hardware" cut them (TSO). How long it wanted the segments to be is
//! lost on the way through XDP, so they are made as long as the link takes. What becomes of the fields: RFC 9293, 3.1
//! (sequence number, PSH, FIN), RFC 3168, 6.1.2 (CWR), RFC 6864 (IPv4 identification).

use std::ops::Range;

use super::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV6_HEADER_LEN, PROTOCOL_TCP, ipv4_payload, ipv6_payload, packet,
};
use super::{be16, checksum};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;
/// Offset of the flags in a TCP header.
const FLAGS: usize = 13;

/// A TCP packet that is longer than a link takes. All offsets are in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongTcp {
    is_ipv4: bool,
    ip: usize,
    tcp: usize,
    payload: usize,
    end: usize,
    /// Bytes of payload in each segment but the last.
    segment_bytes: usize,
}

impl LongTcp {
    /// Looks for one in a frame of `frame_len` bytes whose first buffer is `first`, behind any number of tags. `None` if
    /// its packet is no longer than `mtu` bytes, is no TCP, goes to a group, or is one that cannot be cut: a fragment, one with SYN, RST
    /// or URG, one that is malformed or whose headers leave no room for payload.
    #[must_use]
    pub fn find(first: &[u8], frame_len: usize, mtu: usize) -> Option<Self> {
        const GROUP: u8 = 1;
        if first.first()? & GROUP != 0 {
            return None;
        }
        let (ethertype, ip) = packet(first)?;
        let bytes = first.get(ip..)?;
        let (tcp, packet_len) = match ethertype {
            ETHERTYPE_IPV4 => ipv4(bytes)?,
            ETHERTYPE_IPV6 => ipv6(bytes)?,
            _ => return None,
        };
        let header = bytes.get(tcp..)?;
        let payload = tcp + tcp_header_len(header)?;
        let segment_bytes = mtu.checked_sub(payload).filter(|bytes| *bytes > 0)?;
        if packet_len <= mtu || ip + packet_len > frame_len || ip + payload > first.len() {
            return None;
        }
        Some(Self {
            is_ipv4: ethertype == ETHERTYPE_IPV4,
            ip,
            tcp: ip + tcp,
            payload: ip + payload,
            end: ip + packet_len,
            segment_bytes,
        })
    }

    /// Where the headers are that each segment begins with.
    #[must_use]
    pub const fn headers(&self) -> Range<usize> {
        0..self.payload
    }

    /// Where the payload of each segment is, in order.
    #[must_use]
    pub fn payloads(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let Self { payload, end, segment_bytes, .. } = *self;
        (payload..end).step_by(segment_bytes).map(move |start| start..end.min(start + segment_bytes))
    }

    /// Makes the headers those of the segment with this payload. `first`, and what the frame has in `rest`, are a copy
    /// of the original headers and that payload.
    pub fn finish<'a>(
        &self,
        payload: &Range<usize>,
        first: &mut [u8],
        rest: impl Iterator<Item = &'a [u8]> + Clone,
    ) {
        let packet_len = self.payload - self.ip + payload.len();
        if let Some(ip) = first.get_mut(self.ip..self.tcp) {
            if self.is_ipv4 {
                let segment = (payload.start - self.payload) / self.segment_bytes;
                write_ipv4(ip, packet_len, segment);
            } else {
                set_be16(ip, 4, packet_len - IPV6_HEADER_LEN);
            }
        }
        if let Some(tcp) = first.get_mut(self.tcp..self.payload) {
            let is_first = payload.start == self.payload;
            write_tcp(tcp, payload.start - self.payload, is_first, payload.end == self.end);
        }
        let computed = checksum::compute(first, rest);
        debug_assert!(computed, "it is TCP and as long as it says");
    }
}

/// Where the TCP header of an IPv4 packet begins, and how long the packet is.
fn ipv4(packet: &[u8]) -> Option<(usize, usize)> {
    const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
    let tcp = ipv4_payload(packet)?;
    let whole = be16(packet, 6)? & MORE_FRAGMENTS_OR_OFFSET == 0;
    (whole && *packet.get(9)? == PROTOCOL_TCP).then_some((tcp, usize::from(be16(packet, 2)?)))
}

/// Where the TCP header of an IPv6 packet begins, and how long the packet is.
fn ipv6(packet: &[u8]) -> Option<(usize, usize)> {
    let (protocol, tcp) = ipv6_payload(packet)?;
    (protocol == PROTOCOL_TCP).then_some((tcp, IPV6_HEADER_LEN + usize::from(be16(packet, 4)?)))
}

/// The length of a TCP header with its options; `None` if the packet cannot be cut.
fn tcp_header_len(header: &[u8]) -> Option<usize> {
    let len = usize::from(header.get(12)? >> 4) * 4;
    (len >= 20 && header.get(FLAGS)? & (SYN | RST | URG) == 0).then_some(len)
}

fn write_ipv4(header: &mut [u8], packet_len: usize, segment: usize) {
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
