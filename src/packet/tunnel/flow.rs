//! The flow of a frame, for load balancing between hosts: by ECMP in the network, by RSS at the receiver.

use crate::packet::Header;
use crate::packet::bytes::be16;
use crate::packet::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4_HEADER_LEN, IPV6_HEADER_LEN, MORE_FRAGMENTS_OR_OFFSET,
};
use crate::types::{mix, protocol};

/// A number that is the same for all frames of a flow: of its addresses, and of the ports of TCP and UDP.
///
/// Fragments of one packet have the same number, without ports; the order within a flow is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow(u32);

/// The first source port of tunnels: the dynamic ports begin there (RFC 6335, 6), and RFC 7348, 5, recommends
/// them.
const FIRST_PORT: u16 = 49_152;

impl Flow {
    /// The flow of a frame, from its destination address on.
    #[allow(clippy::inline_always, reason = "a call saves the registers of its caller")]
    #[allow(clippy::inline_always, reason = "as a call it makes its caller save registers")]
    #[inline(always)]
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        // The addresses; the second word has the EtherType as well.
        let (Some(addresses), Some(rest)) = (word(frame, 0), word(frame, 6)) else { return Self(0) };
        let ethernet = mix(addresses, rest);
        let packet = frame.get(Header::LEN..).unwrap_or_default();
        let packet = match be16(frame, 12).unwrap_or_default() {
            ETHERTYPE_IPV4 => ipv4(packet),
            ETHERTYPE_IPV6 => ipv6(packet),
            _ => None,
        };
        let mixed = ethernet ^ packet.unwrap_or_default();
        Self((mixed ^ mixed >> 32) as u32)
    }

    /// The UDP source port of the flow: one of the 16,384 dynamic ones, host byte order.
    #[inline]
    #[must_use]
    pub const fn source_port(self) -> u16 {
        FIRST_PORT | (self.0 & 0x3fff) as u16
    }
}

#[inline]
fn ipv4(packet: &[u8]) -> Option<u64> {
    const VERSION_4_NO_OPTIONS: u8 = 0x45;
    let header: &[u8; IPV4_HEADER_LEN] = packet.first_chunk()?;
    let addresses = u64::from_ne_bytes(*header.last_chunk()?);
    let has_ports = header[0] == VERSION_4_NO_OPTIONS && be16(header, 6)? & MORE_FRAGMENTS_OR_OFFSET == 0;
    let ports = if has_ports { ports(header[9], packet.get(IPV4_HEADER_LEN..)?) } else { 0 };
    Some(mix(addresses, u64::from(header[9]) << 32 | ports))
}

#[inline]
fn ipv6(packet: &[u8]) -> Option<u64> {
    let header: &[u8; IPV6_HEADER_LEN] = packet.first_chunk()?;
    let addresses = mix(word(header, 8)?, word(header, 16)?) ^ mix(word(header, 24)?, word(header, 32)?);
    let ports = ports(header[6], packet.get(IPV6_HEADER_LEN..)?);
    Some(mix(addresses, u64::from(header[6]) << 32 | ports))
}

#[inline]
fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|word| u64::from_ne_bytes(*word))
}

/// The two ports of a TCP or UDP header; 0 for other protocols, and for a header that is cut.
#[inline]
fn ports(protocol: u8, segment: &[u8]) -> u64 {
    match segment.first_chunk() {
        Some(ports) if matches!(protocol, protocol::TCP | protocol::UDP) => u32::from_ne_bytes(*ports).into(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A UDP frame between two hosts.
    fn udp(source_port: u16, flags_and_offset: u16) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0, 0, 40];
        frame.extend([0, 7]);
        frame.extend(flags_and_offset.to_be_bytes());
        frame.extend([64, protocol::UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(source_port.to_be_bytes());
        frame.extend([0, 53, 0, 20, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        frame
    }

    #[test]
    fn flows_differ_by_ports_and_spread_over_the_source_ports() {
        let ports: BTreeSet<_> = (0..1000).map(|port| Flow::of(&udp(port, 0)).source_port()).collect();
        assert!(ports.len() > 900, "{}", ports.len());
        assert!(ports.iter().all(|port| *port >= FIRST_PORT));
        let by_low_bits: BTreeSet<_> = ports.iter().map(|port| port % 16).collect();
        assert_eq!(by_low_bits.len(), 16);
    }

    #[test]
    fn fragments_of_a_packet_are_one_flow_whatever_follows_their_header() {
        assert_eq!(Flow::of(&udp(1, 0x2000)), Flow::of(&udp(99, 0x00b9)));
        assert_ne!(Flow::of(&udp(1, 0)), Flow::of(&udp(99, 0)));
    }

    #[test]
    fn what_is_cut_has_a_flow_too() {
        let whole = udp(1, 0);
        for len in 0..whole.len() {
            assert!(Flow::of(&whole[..len]).source_port() >= FIRST_PORT);
        }
    }
}
