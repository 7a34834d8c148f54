//! The headers in front of a frame in a tunnel, from the Ethernet header of the underlay on.

use std::net::IpAddr;
use std::num::NonZeroU16;

use super::flow::Flow;
use super::{GRE_KEY, HEADER_LEN, VXLAN_HAS_VNI};
use crate::packet::Header;
use crate::packet::dot1q::NoHeadroom;
use crate::packet::internet_sum::{fold, sum_be16, sum_of_slices};
use crate::packet::ip::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_TRANSPARENT_BRIDGING, IPV4_HEADER_LEN, IPV6_HEADER_LEN,
};
use crate::types::protocol;
use crate::types::{MacAddr, Tunnel, TunnelType};
use crate::xsk::Frame;

/// Bytes of the longest outer headers: Ethernet, IPv6, UDP and VXLAN or Geneve.
const MAX_LEN: usize = Header::LEN + IPV6_HEADER_LEN + 2 * HEADER_LEN;

/// The time to live of outer packets, which is also Linux's default.
const TTL: u8 = 64;

/// The two ends of a tunnel on the underlay, and the addresses of its first hop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Address of this host. Of the same family as `destination`.
    pub source: IpAddr,
    /// Address of the other host.
    pub destination: IpAddr,
    /// Address of the link that the packets leave by.
    pub source_mac: MacAddr,
    /// Address of the next hop.
    pub destination_mac: MacAddr,
}

/// The outer headers of all packets of one tunnel type to one endpoint. A few fields are set for each packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OuterHeader {
    /// The headers end at the end of the array, so that all are copied by one move of constant size.
    template: [u8; MAX_LEN],
    len: u8,
    kind: TunnelType,
    /// The sum of the template's IPv4 header, which lacks length, identification and checksum; `None` for
    /// IPv6.
    ipv4_sum: Option<NonZeroU16>,
}

impl OuterHeader {
    /// Compiles the headers for packets of `kind`. `forbids_fragments` sets DF in IPv4 headers; over IPv6
    /// only the sender fragments.
    ///
    /// Returns `None` for addresses of two families.
    #[must_use]
    pub fn new(kind: TunnelType, endpoints: &Endpoints, forbids_fragments: bool) -> Option<Self> {
        let Endpoints { source, destination, source_mac, destination_mac } = *endpoints;
        let protocol = if kind.udp_port().is_some() { protocol::UDP } else { protocol::GRE };
        let mut headers = Vec::with_capacity(MAX_LEN);
        headers.extend(destination_mac.bytes());
        headers.extend(source_mac.bytes());
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                headers.extend(ETHERTYPE_IPV4.to_be_bytes());
                let flags = if forbids_fragments { 0x40 } else { 0 };
                headers.extend([0x45, 0, 0, 0, 0, 0, flags, 0, TTL, protocol, 0, 0]);
                headers.extend(source.octets());
                headers.extend(destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                headers.extend(ETHERTYPE_IPV6.to_be_bytes());
                headers.extend([0x60, 0, 0, 0, 0, 0, protocol, TTL]);
                headers.extend(source.octets());
                headers.extend(destination.octets());
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        }
        let sum = || Some(fold(sum_be16(headers.get(Header::LEN..)?)));
        let ipv4_sum = if source.is_ipv4() { sum().and_then(NonZeroU16::new) } else { None };
        if let Some(port) = kind.udp_port() {
            headers.extend([0, 0]);
            headers.extend(port.to_be_bytes());
            headers.extend([0; 4]);
        }
        headers.extend(match kind {
            TunnelType::Vxlan => [VXLAN_HAS_VNI, 0, 0, 0],
            TunnelType::Geneve => {
                let [high, low] = ETHERTYPE_TRANSPARENT_BRIDGING.to_be_bytes();
                [0, 0, high, low]
            }
            TunnelType::Gre => {
                let ([flags, _], [high, low]) =
                    (GRE_KEY.to_be_bytes(), ETHERTYPE_TRANSPARENT_BRIDGING.to_be_bytes());
                [flags, 0, high, low]
            }
        });
        headers.extend([0; 4]);
        let mut template = [0; MAX_LEN];
        template.get_mut(MAX_LEN.checked_sub(headers.len())?..)?.copy_from_slice(&headers);
        Some(Self { template, len: headers.len() as u8, kind, ipv4_sum })
    }

    /// Bytes of the headers, with the underlay's Ethernet header.
    #[inline]
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        usize::from(self.len)
    }

    /// Bytes of the headers in a packet of the underlay, which the MTU of the path counts.
    #[must_use]
    pub fn overhead(&self) -> usize {
        self.len_bytes() - Header::LEN
    }

    /// Puts the headers before a frame of the network with `tunnel`, whose type is that of the headers. `id`
    /// is the identification of an IPv4 packet.
    ///
    /// # Errors
    /// [`NoHeadroom`]; the frame is unchanged.
    #[inline]
    pub fn push(&self, frame: &mut Frame, tunnel: Tunnel, flow: Flow, id: u16) -> Result<(), NoHeadroom> {
        let frame_len = frame.len();
        if !frame.grow_front(MAX_LEN) {
            return Err(NoHeadroom);
        }
        if let Some(headers) = frame.bytes_mut().first_chunk_mut::<MAX_LEN>() {
            *headers = self.template;
            if let Some(field) = headers.last_chunk_mut() {
                *field = self.key_field(tunnel).to_be_bytes();
            }
            if self.kind.udp_port().is_some() {
                const UDP_AND_TUNNEL: usize = 2 * HEADER_LEN;
                set(headers, UDP_AND_TUNNEL, flow.source_port());
                set(headers, UDP_AND_TUNNEL - 4, (UDP_AND_TUNNEL + frame_len) as u16);
                self.set_ip_fields::<UDP_AND_TUNNEL>(headers, frame_len, id);
            } else {
                self.set_ip_fields::<HEADER_LEN>(headers, frame_len, id);
            }
        }
        frame.trim_front(MAX_LEN - self.len_bytes());
        if self.ipv4_sum.is_none() && self.kind.udp_port().is_some() {
            set_udp_checksum(frame);
        }
        Ok(())
    }

    /// The last word of the headers: the key, or the VNI before a reserved byte.
    #[inline]
    const fn key_field(&self, tunnel: Tunnel) -> u32 {
        match self.kind {
            TunnelType::Vxlan | TunnelType::Geneve => tunnel.key() << 8,
            TunnelType::Gre => tunnel.key(),
        }
    }

    /// Sets the fields of the IP header, which ends `BEHIND` bytes before the frame of `frame_len` bytes.
    #[inline]
    fn set_ip_fields<const BEHIND: usize>(&self, headers: &mut [u8; MAX_LEN], frame_len: usize, id: u16) {
        let payload = BEHIND + frame_len;
        if let Some(sum) = self.ipv4_sum {
            let len = (IPV4_HEADER_LEN + payload) as u16;
            set(headers, BEHIND + IPV4_HEADER_LEN - 2, len);
            set(headers, BEHIND + IPV4_HEADER_LEN - 4, id);
            let sum = u64::from(sum.get()) + u64::from(len) + u64::from(id);
            set(headers, BEHIND + IPV4_HEADER_LEN - 10, !fold(sum));
        } else {
            set(headers, BEHIND + IPV6_HEADER_LEN - 4, payload as u16);
        }
    }
}

/// Sets the field that begins `before_end` bytes before the end.
#[allow(clippy::inline_always, reason = "with a constant place it is one store")]
#[inline(always)]
fn set(headers: &mut [u8; MAX_LEN], before_end: usize, value: u16) {
    if let Some(field) = headers.get_mut(MAX_LEN - before_end..).and_then(<[u8]>::first_chunk_mut) {
        *field = value.to_be_bytes();
    }
}

/// Computes the UDP checksum over IPv6, without which Linux's receivers drop a packet by default (RFC 6935
/// allows 0 to those that are configured for it).
#[cold]
fn set_udp_checksum(frame: &mut Frame) {
    const UDP: usize = Header::LEN + IPV6_HEADER_LEN;
    let len = frame.len() - UDP;
    let addresses = frame.slices(Header::LEN + 8..UDP);
    let pseudo_header = u64::from(sum_of_slices(addresses)) + u64::from(protocol::UDP) + len as u64;
    let segment = u64::from(sum_of_slices(frame.slices(UDP..UDP + len)));
    // 0 stands for no checksum (RFC 768).
    let checksum = match !fold(pseudo_header + segment) {
        0 => u16::MAX,
        checksum => checksum,
    };
    if let Some(field) = frame.bytes_mut().get_mut(UDP + 6..).and_then(<[u8]>::first_chunk_mut) {
        *field = checksum.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tunnel::parse;
    use crate::xsk::Arena;

    fn endpoints(source: &str, destination: &str) -> Endpoints {
        Endpoints {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            source_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            destination_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
        }
    }

    const PAIRS: [(&str, &str); 2] = [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")];

    /// `inner` with the headers of `kind` before it.
    fn wrapped(kind: TunnelType, endpoints: &Endpoints, inner: &[u8]) -> Vec<u8> {
        let arena = Arena::heap(8).unwrap();
        let mut frame = arena.take().unwrap();
        assert!(frame.extend([inner], || arena.take()));
        let header = OuterHeader::new(kind, endpoints, false).unwrap();
        let tunnel = Tunnel::new(kind, 0x00ab_cdef).unwrap();
        header.push(&mut frame, tunnel, Flow::of(inner), 7).unwrap();
        assert_eq!(frame.len(), inner.len() + header.len_bytes());
        frame.to_vec()
    }

    #[test]
    fn what_is_pushed_is_parsed_as_it_was() {
        for (source, destination) in PAIRS {
            for kind in TunnelType::ALL {
                let ends = endpoints(source, destination);
                for len in [14, 60, 61, 1500, 5000] {
                    let inner = vec![0x5a; len];
                    let frame = wrapped(kind, &ends, &inner);
                    let outer = parse(&frame, frame.len(), ends.destination).unwrap().unwrap();
                    assert_eq!((outer.source, outer.kind, outer.key), (ends.source, kind, 0x00ab_cdef));
                    assert_eq!(frame[outer.len..], inner);
                    assert!(parse(&frame, frame.len(), ends.source).is_none(), "for another endpoint");
                    let cut = parse(&frame[..frame.len() - 1], frame.len() - 1, ends.destination);
                    assert!(cut.unwrap().is_err());
                }
            }
        }
    }

    #[test]
    fn the_udp_checksum_is_complete_over_ipv6_and_absent_over_ipv4() {
        let (v4, v6) = (endpoints(PAIRS[0].0, PAIRS[0].1), endpoints(PAIRS[1].0, PAIRS[1].1));
        for len in [60, 61, 4000] {
            let inner: Vec<u8> = (0..len).map(|byte: usize| (byte * 7) as u8).collect();
            let frame = wrapped(TunnelType::Geneve, &v6, &inner);
            let segment = &frame[54..];
            let pseudo = sum_be16(&frame[22..54]) + u64::from(protocol::UDP) + segment.len() as u64;
            assert_eq!(fold(pseudo + sum_be16(segment)), u16::MAX, "{len} bytes");
            assert_eq!(wrapped(TunnelType::Geneve, &v4, &inner)[40..42], [0, 0]);
        }
    }

    #[test]
    fn the_longest_packet_of_each_type_is_as_long_as_documented() {
        let overhead = |kind, pair: (&str, &str)| {
            OuterHeader::new(kind, &endpoints(pair.0, pair.1), false).unwrap().overhead() + Header::LEN
        };
        for (kind, v4, v6) in
            [(TunnelType::Vxlan, 50, 70), (TunnelType::Geneve, 50, 70), (TunnelType::Gre, 42, 62)]
        {
            assert_eq!((overhead(kind, PAIRS[0]), overhead(kind, PAIRS[1])), (v4, v6), "{kind}");
        }
    }

    #[test]
    fn fragments_are_forbidden_where_the_operator_says_so() {
        let ends = endpoints(PAIRS[0].0, PAIRS[0].1);
        let flags =
            |forbids| OuterHeader::new(TunnelType::Gre, &ends, forbids).unwrap().template[MAX_LEN - 22];
        assert_eq!((flags(false), flags(true)), (0, 0x40));
        assert!(OuterHeader::new(TunnelType::Gre, &endpoints("192.0.2.1", "2001:db8::1"), false).is_none());
    }

    #[test]
    fn a_frame_without_headroom_is_unchanged() {
        let arena = Arena::heap(1).unwrap();
        let mut frame = arena.take().unwrap();
        assert!(frame.grow_front(200) && frame.set_bytes(&[1; 60]));
        let header = OuterHeader::new(TunnelType::Vxlan, &endpoints(PAIRS[0].0, PAIRS[0].1), false).unwrap();
        let tunnel = Tunnel::new(TunnelType::Vxlan, 1).unwrap();
        assert!(header.push(&mut frame, tunnel, Flow::of(&[1; 60]), 1).is_err());
        assert_eq!(frame.to_vec(), [1; 60]);
    }
}
