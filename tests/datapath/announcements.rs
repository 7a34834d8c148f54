//! Frames by which hosts announce addresses: ARP, DHCP, neighbour discovery.

use std::net::Ipv6Addr;

use testkit::frames::{BROADCAST, frame};
use testkit::scenario::Mac;

pub fn arp(source: Mac, operation: u16, announced: Mac, sender: [u8; 4]) -> Vec<u8> {
    frame(BROADCAST, source, &[], &arp_packet(0x0806, operation, announced, sender, [10, 0, 0, 2]))
}

pub fn arp_packet(
    ethertype: u16,
    operation: u16,
    announced: Mac,
    sender: [u8; 4],
    target: [u8; 4],
) -> Vec<u8> {
    let (ethertype, operation) = (ethertype.to_be_bytes(), operation.to_be_bytes());
    let packet = [&ethertype[..], &[0, 1, 0x08, 0, 6, 4], &operation, &announced, &sender, &[0; 6], &target];
    packet.concat()
}

/// EtherType and packet: UDP over IPv4 between two ports.
pub fn udp_rest(ip: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    udp_to([255; 4], ip, ports, &[])
}

pub fn udp_to(to: [u8; 4], ip: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let header = [0x45, 0, 0, 28 + payload.len() as u8, 0, 1, 0, 0, 64, 17, 0, 0];
    let ports = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    [&[0x08, 0x00][..], &header, &ip, &to, &ports, &[0, 8, 0, 0], payload].concat()
}

/// A DHCP request to `to` for the client `chaddr`.
pub fn dhcp(source: Mac, to: [u8; 4], ip: [u8; 4], chaddr: Mac) -> Vec<u8> {
    let message = [&[1, 1, 6][..], &[0; 25], &chaddr, &[0; 10]].concat();
    frame(BROADCAST, source, &[], &udp_to(to, ip, (68, 67), &message))
}

pub fn udp(source: Mac, ip: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    frame(BROADCAST, source, &[], &udp_rest(ip, ports))
}

pub fn ipv6(source: Mac, ip: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets();
    let packet =
        [&[0x86, 0xdd, 0x60, 0, 0, 0][..], &length, &[next_header, 255], &ip.octets(), &group, payload]
            .concat();
    frame([0x33, 0x33, 0, 0, 0, 1], source, &[], &packet)
}

/// A neighbour advertisement or solicitation with this target and these options.
pub fn neighbour(kind: u8, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), options].concat()
}

pub fn link_layer(option: u8, mac: Mac) -> Vec<u8> {
    [&[option, 1][..], &mac].concat()
}
