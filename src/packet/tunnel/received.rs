//! A tunnel packet that was received by a UDP socket, in the form in which an uplink receives it.

use std::net::{IpAddr, SocketAddr};

use super::HEADER_LEN;
use crate::packet::Header;
use crate::packet::checksum::of_ipv4_header;
use crate::packet::ip::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4_HEADER_LEN, IPV6_HEADER_LEN};
use crate::types::protocol;

/// The headers of a datagram of `payload_len` bytes from `source` to `destination`, down to its UDP header.
/// The addresses of Ethernet and the UDP checksum are 0. `None` for addresses of two families and for a
/// payload that is too long.
#[must_use]
pub fn headers_of_datagram(
    source: SocketAddr,
    destination: SocketAddr,
    payload_len: usize,
) -> Option<Vec<u8>> {
    let udp_len = HEADER_LEN + payload_len;
    let mut headers = vec![0; Header::LEN - 2];
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [high, low] = u16::try_from(IPV4_HEADER_LEN + udp_len).ok()?.to_be_bytes();
            headers.extend(ETHERTYPE_IPV4.to_be_bytes());
            headers.extend([0x45, 0, high, low, 0, 0, 0, 0, 64, protocol::UDP, 0, 0]);
            headers.extend(from.octets());
            headers.extend(to.octets());
            let header = headers.get_mut(Header::LEN..)?;
            let checksum = of_ipv4_header(header);
            header.get_mut(10..12)?.copy_from_slice(&checksum.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [high, low] = u16::try_from(udp_len).ok()?.to_be_bytes();
            headers.extend(ETHERTYPE_IPV6.to_be_bytes());
            headers.extend([0x60, 0, 0, 0, high, low, protocol::UDP, 64]);
            headers.extend(from.octets());
            headers.extend(to.octets());
            debug_assert_eq!(headers.len(), Header::LEN + IPV6_HEADER_LEN);
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    }
    headers.extend(source.port().to_be_bytes());
    headers.extend(destination.port().to_be_bytes());
    headers.extend(u16::try_from(udp_len).ok()?.to_be_bytes());
    headers.extend([0, 0]);
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tunnel::parse;
    use crate::types::TunnelType;

    #[test]
    fn it_is_parsed_as_what_it_was() {
        for (source, destination) in [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")] {
            let (source, destination): (IpAddr, IpAddr) =
                (source.parse().unwrap(), destination.parse().unwrap());
            let payload = [&[8, 0, 0, 0, 0, 0, 38, 0][..], &[0; 60]].concat();
            let headers =
                headers_of_datagram((source, 50_000).into(), (destination, 4789).into(), payload.len());
            let frame = [headers.unwrap(), payload].concat();
            let outer = parse(&frame, frame.len(), destination).unwrap().unwrap();
            assert_eq!((outer.source, outer.kind, outer.key), (source, TunnelType::Vxlan, 38));
            assert_eq!(outer.len, frame.len() - 60);
        }
        let v6 = (IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 1).into();
        let v4 = (IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1).into();
        assert_eq!(headers_of_datagram(v4, v6, 10), None);
        assert_eq!(headers_of_datagram(v4, v4, 65_535), None);
    }
}
