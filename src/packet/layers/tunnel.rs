//! Encapsulations between one IP packet and the next.

use super::cursor::{Cursor, Next, Stop};
use super::layer::Kind;
use crate::packet::ip::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::types::TunnelType;

const UDP_HEADER_LEN: usize = 8;

/// The default of Linux, from before port 4789 was assigned.
const PORT_VXLAN_LINUX: u16 = 8472;
const PORT_VXLAN_GPE: u16 = 4790;
const PORT_MPLS: u16 = 6635;

/// Whether UDP to this destination port may carry packets.
#[inline]
pub const fn is_tunnel_port(port: u16) -> bool {
    matches!(
        port,
        TunnelType::VXLAN_PORT | PORT_VXLAN_LINUX | PORT_VXLAN_GPE | TunnelType::GENEVE_PORT | PORT_MPLS
    )
}

pub(super) fn udp(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    let header: &[u8; UDP_HEADER_LEN] = cursor.take()?;
    match u16::from_be_bytes([header[2], header[3]]) {
        TunnelType::VXLAN_PORT | PORT_VXLAN_LINUX => vxlan(cursor),
        PORT_VXLAN_GPE => vxlan_gpe(cursor),
        TunnelType::GENEVE_PORT => geneve(cursor),
        PORT_MPLS => Ok(Next::Mpls),
        _ => Err(Stop::Payload),
    }
}

/// Parses the header of RFC 7348, 5.
fn vxlan(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    const VALID: u8 = 0x08;
    /// Remote checksum offload in Linux (draft-herbert-vxlan-rco): the inner sum is partial, and the receiver
    /// completes it.
    const REMOTE_CHECKSUM: u8 = 0x20;
    let header: &[u8; 8] = cursor.take()?;
    if header[0] & VALID == 0 || header[1] & REMOTE_CHECKSUM != 0 {
        return Err(Stop::Payload);
    }
    Ok(Next::Frame)
}

/// Parses the header of draft-ietf-nvo3-vxlan-gpe-13, 3.
fn vxlan_gpe(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    const VERSION: u8 = 0x30;
    const VALID_AND_HAS_PROTOCOL: u8 = 0x0c;
    let header: &[u8; 8] = cursor.take()?;
    if header[0] & (VERSION | VALID_AND_HAS_PROTOCOL) != VALID_AND_HAS_PROTOCOL {
        return Err(Stop::Payload);
    }
    match header[3] {
        1 => Ok(Next::Packet(ETHERTYPE_IPV4)),
        2 => Ok(Next::Packet(ETHERTYPE_IPV6)),
        3 => Ok(Next::Frame),
        5 => Ok(Next::Mpls),
        _ => Err(Stop::Payload),
    }
}

/// Parses the header of RFC 8926, 3.4.
fn geneve(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    let [version_and_len, _, high, low, ..] = *cursor.take::<8>()?;
    if version_and_len >> 6 != 0 {
        return Err(Stop::Payload);
    }
    let options_len = usize::from(version_and_len & 0x3f) * 4;
    Ok(cursor.skip(options_len, Next::Packet(u16::from_be_bytes([high, low]))))
}

/// Parses the header of RFC 2784, 2, with the fields of RFC 2890, 2.
pub(super) fn gre(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 0x0007;
    let [high, low, protocol_high, protocol_low] = *cursor.peek()?;
    let flags = u16::from_be_bytes([high, low]);
    if flags & (ROUTING | VERSION) != 0 {
        return Err(Stop::Payload);
    }
    let optional = [CHECKSUM, KEY, SEQUENCE].into_iter().filter(|flag| flags & flag != 0).count();
    let header_len = 4 * (1 + optional);
    cursor.bytes(0, header_len)?;
    cursor.push(Kind::Gre { has_checksum: flags & CHECKSUM != 0, has_sequence: flags & SEQUENCE != 0 })?;
    Ok(cursor.skip(header_len, Next::Packet(u16::from_be_bytes([protocol_high, protocol_low]))))
}

/// Skips a stack of labels (RFC 3032, 2.1). The first bits of the packet below are its IP version (RFC 4928,
/// 3).
pub(super) fn mpls(cursor: &mut Cursor<'_>) -> Result<Next, Stop> {
    const BOTTOM: u8 = 0x01;
    loop {
        let [_, _, label_end, _] = *cursor.take()?;
        if label_end & BOTTOM != 0 {
            break;
        }
    }
    let [version, ..] = *cursor.peek::<1>()?;
    match version >> 4 {
        4 => Ok(Next::Packet(ETHERTYPE_IPV4)),
        6 => Ok(Next::Packet(ETHERTYPE_IPV6)),
        _ => Err(Stop::Payload),
    }
}
