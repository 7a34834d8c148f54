//! IPv4 (RFC 791), and the DHCP messages of clients (RFC 2131).

use std::net::Ipv4Addr;

use super::Sender;
use crate::packet::bytes::be16;
use crate::packet::dhcp;
use crate::packet::ip::{MORE_FRAGMENTS, OFFSET, ipv4_payload};
use crate::types::MacAddr;
use crate::types::protocol;

impl Sender {
    pub(super) fn of_ipv4(mut self, packet: &[u8]) -> Option<Self> {
        let ip = Ipv4Addr::from_octets(*packet.get(12..)?.first_chunk()?);
        let to = Ipv4Addr::from_octets(*packet.get(16..)?.first_chunk()?);
        let mut may_have_no_address = false;
        if let Payload::Udp { bytes, is_fragmented } = payload(packet)? {
            let (from_port, to_port) = (be16(bytes, 0)?, be16(bytes, 2)?);
            if to_port == dhcp::SERVER {
                if is_fragmented {
                    return None;
                }
                self.announced = Some(client_mac(bytes)?);
                // A client without an address broadcasts (RFC 2131, 4.1).
                may_have_no_address = from_port == dhcp::CLIENT && to.is_broadcast();
            }
        }
        if !(ip.is_unspecified() && may_have_no_address) {
            self.ips.push(ip.into());
        }
        Some(self)
    }
}

/// The payload of an IPv4 packet.
enum Payload<'a> {
    /// A UDP datagram, or the first fragment of one.
    Udp { bytes: &'a [u8], is_fragmented: bool },
    /// Another protocol, or a later fragment.
    Other,
}

fn payload(packet: &[u8]) -> Option<Payload<'_>> {
    let start = ipv4_payload(packet)?;
    let fragment = be16(packet, 6)?;
    if *packet.get(9)? != protocol::UDP || fragment & OFFSET != 0 {
        return Some(Payload::Other);
    }
    Some(Payload::Udp { bytes: packet.get(start..)?, is_fragmented: fragment & MORE_FRAGMENTS != 0 })
}

/// The client's hardware address in a DHCP message (`chaddr`; RFC 2131, 2), after the UDP header.
fn client_mac(udp: &[u8]) -> Option<MacAddr> {
    const ETHERNET: [u8; 2] = [1, 6];
    let message = udp.get(8..)?;
    if message.get(1..3)? != ETHERNET {
        return None;
    }
    Some(MacAddr::new(*message.get(28..)?.first_chunk()?))
}
