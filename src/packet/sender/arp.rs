//! ARP (RFC 826), address conflict detection (RFC 5227) and reverse ARP (RFC 903).

use std::net::Ipv4Addr;

use super::Sender;
use crate::packet::bytes::be16;
use crate::types::MacAddr;

/// Hardware type Ethernet, protocol type IPv4, and the lengths of their addresses.
const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

const REQUEST: u16 = 1;
const REVERSE_REQUEST: u16 = 3;

/// The operation and the addresses of an ARP packet.
struct Arp {
    operation: u16,
    sender_mac: MacAddr,
    sender_ip: Ipv4Addr,
    target_ip: Ipv4Addr,
}

impl Arp {
    fn parse(packet: &[u8]) -> Option<Self> {
        if !packet.starts_with(&ETHERNET_AND_IPV4) {
            return None;
        }
        Some(Self {
            operation: be16(packet, 6)?,
            sender_mac: MacAddr::new(*packet.get(8..)?.first_chunk()?),
            sender_ip: Ipv4Addr::from_octets(*packet.get(14..)?.first_chunk()?),
            target_ip: Ipv4Addr::from_octets(*packet.get(24..)?.first_chunk()?),
        })
    }
}

impl Sender {
    /// A probe has no protocol address of the sender: it claims the address of the target (RFC 5227, 2.1.1),
    /// and a host that has this address gives it up.
    pub(super) fn of_arp(mut self, packet: &[u8]) -> Option<Self> {
        let arp = Arp::parse(packet)?;
        self.announced = Some(arp.sender_mac);
        let is_probe = arp.operation == REQUEST && arp.sender_ip.is_unspecified();
        self.ips.push(if is_probe { arp.target_ip } else { arp.sender_ip }.into());
        Some(self)
    }

    /// A request claims no address; virtual machines send one after a migration.
    pub(super) fn of_reverse_arp(mut self, packet: &[u8]) -> Option<Self> {
        let arp = Arp::parse(packet)?;
        self.announced = Some(arp.sender_mac);
        if arp.operation != REVERSE_REQUEST || !arp.sender_ip.is_unspecified() {
            self.ips.push(arp.sender_ip.into());
        }
        Some(self)
    }
}
