//! The headers of a received tunnel packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{GRE_KEY, HEADER_LEN, VXLAN_HAS_VNI};
use crate::packet::Header;
use crate::packet::bytes::be16;
use crate::packet::internet_sum::{fold, sum_be16};
use crate::packet::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_TRANSPARENT_BRIDGING, IPV4_HEADER_LEN, IPV6_HEADER_LEN,
    MORE_FRAGMENTS_OR_OFFSET,
};
use crate::types::TunnelType;
use crate::types::protocol;

/// A tunnel packet: whose it is, and where its frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// Address of the sending endpoint.
    pub source: IpAddr,
    /// The encapsulation of the frame.
    pub kind: TunnelType,
    /// The VNI, or the GRE key; 0 for GRE without a key.
    pub key: u32,
    /// Bytes before the inner frame.
    pub len: usize,
}

/// A packet to a tunnel port of the endpoint that contains no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It is shorter than its headers say.
    Truncated,
    /// The checksum of its IPv4 header is wrong.
    Checksum,
    /// A flag or version of its tunnel header is not possible, or it carries no Ethernet frame.
    Header,
    /// It has a Geneve option that the receiver must understand (RFC 8926, 3.5), or is a control message.
    CriticalOption,
}

/// Parses the headers of a packet of `frame_len` bytes to `endpoint`; `bytes` are those of its first chunk.
/// `None` for all other frames: a fragment and a packet with IP options or extension headers are the kernel's
/// to reassemble and to parse.
///
/// The UDP checksum is not verified: it may be partial, as on a veth, and the inner packet has its own.
#[inline]
#[must_use]
pub fn parse(bytes: &[u8], frame_len: usize, endpoint: IpAddr) -> Option<Result<Outer, Malformed>> {
    let packet = bytes.get(Header::LEN..)?;
    match (be16(bytes, 12)?, endpoint) {
        (ETHERTYPE_IPV4, IpAddr::V4(endpoint)) => ipv4(packet, frame_len - Header::LEN, endpoint),
        (ETHERTYPE_IPV6, IpAddr::V6(endpoint)) => ipv6(packet, frame_len - Header::LEN, endpoint),
        _ => None,
    }
}

#[inline]
fn ipv4(packet: &[u8], packet_len: usize, endpoint: Ipv4Addr) -> Option<Result<Outer, Malformed>> {
    let (header, payload) = packet.split_first_chunk::<IPV4_HEADER_LEN>()?;
    let is_whole = header[0] == 0x45 && be16(header, 6)? & MORE_FRAGMENTS_OR_OFFSET == 0;
    let (addresses, &destination) = header.split_last_chunk::<4>()?;
    if !is_whole || destination != endpoint.octets() {
        return None;
    }
    let source = IpAddr::V4(Ipv4Addr::from(*addresses.last_chunk::<4>()?));
    let outer = payload_of(header[9], payload, Header::LEN + IPV4_HEADER_LEN, source)?;
    Some(if usize::from(be16(header, 2)?) > packet_len {
        Err(Malformed::Truncated)
    } else if fold(sum_be16(header)) != u16::MAX {
        Err(Malformed::Checksum)
    } else {
        outer
    })
}

#[inline]
fn ipv6(packet: &[u8], packet_len: usize, endpoint: Ipv6Addr) -> Option<Result<Outer, Malformed>> {
    let (header, payload) = packet.split_first_chunk::<IPV6_HEADER_LEN>()?;
    let (addresses, &destination) = header.split_last_chunk::<16>()?;
    if header[0] >> 4 != 6 || destination != endpoint.octets() {
        return None;
    }
    let source = IpAddr::V6(Ipv6Addr::from(*addresses.last_chunk::<16>()?));
    let outer = payload_of(header[6], payload, Header::LEN + IPV6_HEADER_LEN, source)?;
    let is_cut = IPV6_HEADER_LEN + usize::from(be16(header, 4)?) > packet_len;
    Some(if is_cut { Err(Malformed::Truncated) } else { outer })
}

/// Parses what follows the IP header, `before` bytes into the frame.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
fn payload_of(
    protocol: u8,
    payload: &[u8],
    before: usize,
    source: IpAddr,
) -> Option<Result<Outer, Malformed>> {
    let tunnel = match protocol {
        protocol::UDP => {
            let behind = payload.get(HEADER_LEN..).unwrap_or_default();
            let tunnel = match be16(payload, 2)? {
                TunnelType::VXLAN_PORT => vxlan(behind),
                TunnelType::GENEVE_PORT => geneve(behind),
                _ => return None,
            };
            tunnel.map(|(kind, key, len)| (kind, key, HEADER_LEN + len))
        }
        protocol::GRE => gre(payload)?,
        _ => return None,
    };
    Some(tunnel.map(|(kind, key, len)| Outer { source, kind, key, len: before + len }))
}

/// Type and key of a tunnel header, and its length.
type TunnelHeader = Result<(TunnelType, u32, usize), Malformed>;

/// Parses the header of RFC 7348, 5. Reserved bits are ignored.
#[inline]
fn vxlan(payload: &[u8]) -> TunnelHeader {
    let &[flags, _, _, _, a, b, c, _] = payload.first_chunk().ok_or(Malformed::Truncated)?;
    if flags & VXLAN_HAS_VNI == 0 {
        return Err(Malformed::Header);
    }
    Ok((TunnelType::Vxlan, u32::from_be_bytes([0, a, b, c]), HEADER_LEN))
}

/// Parses the header of RFC 8926, 3.4, and skips its options.
#[inline]
fn geneve(payload: &[u8]) -> TunnelHeader {
    const CONTROL_OR_CRITICAL: u8 = 0xc0;
    let &[version_and_len, flags, high, low, a, b, c, _] =
        payload.first_chunk().ok_or(Malformed::Truncated)?;
    if version_and_len >> 6 != 0 || u16::from_be_bytes([high, low]) != ETHERTYPE_TRANSPARENT_BRIDGING {
        return Err(Malformed::Header);
    }
    if flags & CONTROL_OR_CRITICAL != 0 {
        return Err(Malformed::CriticalOption);
    }
    let options_len = usize::from(version_and_len & 0x3f) * 4;
    Ok((TunnelType::Geneve, u32::from_be_bytes([0, a, b, c]), HEADER_LEN + options_len))
}

/// Parses the header of RFC 2784, 2, with the fields of RFC 2890, 2. `None` if it carries no Ethernet frame:
/// GRE is also the host's.
#[inline]
fn gre(payload: &[u8]) -> Option<TunnelHeader> {
    const CHECKSUM: u16 = 0x8000;
    const SEQUENCE: u16 = 0x1000;
    const KNOWN: u16 = CHECKSUM | GRE_KEY | SEQUENCE;
    let &[flags_high, flags_low, high, low] = payload.first_chunk()?;
    if u16::from_be_bytes([high, low]) != ETHERTYPE_TRANSPARENT_BRIDGING {
        return None;
    }
    let flags = u16::from_be_bytes([flags_high, flags_low]);
    if flags & !KNOWN != 0 {
        return Some(Err(Malformed::Header));
    }
    let key_at = if flags & CHECKSUM == 0 { 4 } else { 8 };
    let (key, key_end) = if flags & GRE_KEY == 0 {
        (Some(0), key_at)
    } else {
        let key = payload.get(key_at..).and_then(<[u8]>::first_chunk);
        (key.map(|key| u32::from_be_bytes(*key)), key_at + 4)
    };
    let len = if flags & SEQUENCE == 0 { key_end } else { key_end + 4 };
    Some(key.map(|key| (TunnelType::Gre, key, len)).ok_or(Malformed::Truncated))
}
