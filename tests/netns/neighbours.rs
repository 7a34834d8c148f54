//! Neighbour tables of a third guest: a guest that owns neither address does not change them.

use std::net::Ipv6Addr;

use serde_json::Value;

use super::transport::address;
use testkit::frame::{BROADCAST, Mac};
use testkit::netns::Netns;
use testkit::records::text;
use testkit::testbed::{Port, Testbed, on_testbed};

/// The addresses that [`address`] gives to host numbers 2 and 3.
const OWNER: [u8; 4] = [10, 1, 0, 2];
const THIRD: [u8; 4] = [10, 1, 0, 3];
const OWNER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const THIRD6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 3);
const OWNER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Frames by which a guest claims an address of the owner.
struct Claim {
    name: &'static str,
    /// Whether Linux accepts it without port security.
    is_accepted: bool,
    frames: Vec<Vec<u8>>,
}

impl Claim {
    fn accepted(name: &'static str, frame: Vec<u8>) -> Self {
        Self { name, is_accepted: true, frames: vec![frame] }
    }

    fn ignored(name: &'static str, frame: Vec<u8>) -> Self {
        Self { name, is_accepted: false, frames: vec![frame] }
    }
}

/// All claims of a guest with the address `claimant`, to the third guest or to all.
fn claims(claimant: Mac, third: Mac) -> Vec<Claim> {
    let mut claims = arp_claims(claimant, third);
    claims.extend(discovery_claims(claimant, third));
    claims.extend(hidden_advertisements(claimant, third));
    claims
}

fn arp_claims(claimant: Mac, third: Mac) -> Vec<Claim> {
    const ARP: [u8; 2] = [0x08, 0x06];
    let reply = arp(2, claimant, OWNER, THIRD);
    let to_third = |rest: &[&[u8]]| ethernet(third, claimant, &rest.concat());
    let request = |sender, target| {
        ethernet(BROADCAST, claimant, &[&ARP, &arp(1, claimant, sender, target)[..]].concat())
    };
    let in_llc = |llc: &[u8]| to_third(&[&[0, 46], llc, &reply]);
    vec![
        Claim::accepted("ARP reply", to_third(&[&ARP, &reply])),
        Claim::accepted("gratuitous ARP", request(OWNER, OWNER)),
        Claim::accepted("ARP request", request(OWNER, THIRD)),
        Claim::ignored("ARP probe", request([0; 4], THIRD)),
        Claim::accepted("ARP behind a priority tag", to_third(&[&[0x81, 0, 0, 0], &ARP, &reply])),
        Claim::ignored("ARP in SNAP", in_llc(&[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x06])),
        Claim::ignored("ARP in SNAP to a group", in_llc(&[0xab, 0xab, 3, 0, 0, 0, 0x08, 0x06])),
        Claim::ignored("ARP in LLC", in_llc(&[0x98, 0x98, 3])),
    ]
}

fn discovery_claims(claimant: Mac, third: Mac) -> Vec<Claim> {
    let icmp = |from, to: Ipv6Addr, message: &[u8]| {
        let destination = if to.is_multicast() { [0x33, 0x33, 0, 0, 0, 1] } else { third };
        ethernet(destination, claimant, &ipv6_packet(from, to, 58, message))
    };
    let advertisement = |to| icmp(OWNER6, to, &advertisement(claimant, to));
    let solicitation = neighbour(SOLICITATION, OWNER6, THIRD6, THIRD6, &link_layer(1, claimant));
    let probe = neighbour(SOLICITATION, Ipv6Addr::UNSPECIFIED, ALL_NODES, THIRD6, &[]);
    let router = [&[134, 0, 0, 0, 64, 0, 0, 0][..], &[0; 8], &link_layer(1, claimant)].concat();
    let router = with_checksum(OWNER_LINK_LOCAL, ALL_NODES, router);
    let redirect = [&OWNER6.octets()[..], &link_layer(2, claimant)].concat();
    let redirect = neighbour(137, OWNER_LINK_LOCAL, THIRD6, OWNER6, &redirect);
    let inverse = [&[142, 0, 0, 0, 0, 0, 0, 0], &link_layer(1, claimant)[..]].concat();
    let inverse = with_checksum(OWNER6, THIRD6, inverse);
    vec![
        Claim::accepted("advertisement", advertisement(THIRD6)),
        Claim::accepted("advertisement to all", advertisement(ALL_NODES)),
        Claim::accepted("solicitation", icmp(OWNER6, THIRD6, &solicitation)),
        Claim::ignored("solicitation from ::", icmp(Ipv6Addr::UNSPECIFIED, ALL_NODES, &probe)),
        Claim::accepted("router advertisement", icmp(OWNER_LINK_LOCAL, ALL_NODES, &router)),
        Claim::ignored("redirect", icmp(OWNER_LINK_LOCAL, THIRD6, &redirect)),
        Claim::ignored("inverse advertisement", icmp(OWNER6, THIRD6, &inverse)),
    ]
}

/// Advertisements behind extension headers, and in fragments.
fn hidden_advertisements(claimant: Mac, third: Mac) -> Vec<Claim> {
    let message = advertisement(claimant, THIRD6);
    let behind = |next_header, header: &[u8], message: &[u8]| {
        let packet = ipv6_packet(OWNER6, THIRD6, next_header, &[header, message].concat());
        ethernet(third, claimant, &packet)
    };
    let authentication = [58, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (first, second) = message.split_at(16);
    let fragments =
        vec![behind(44, &[58, 0, 0, 1, 0, 0, 0, 2], first), behind(44, &[58, 0, 0, 16, 0, 0, 0, 2], second)];
    let options = behind(60, &[58, 0, 1, 4, 0, 0, 0, 0], &message);
    let atomic = behind(44, &[58, 0, 0, 0, 0, 0, 0, 1], &message);
    let unassigned = behind(200, &[58, 0, 0, 0, 0, 0, 0, 0], &message);
    vec![
        Claim::accepted("advertisement behind options", options),
        Claim::ignored("advertisement in an atomic fragment", atomic),
        Claim::ignored("advertisement behind an unassigned header", unassigned),
        Claim::ignored("advertisement behind AH", behind(51, &authentication, &message)),
        Claim { name: "advertisement in two fragments", is_accepted: false, frames: fragments },
    ]
}

/// An advertisement that the address of the owner is at `claimant`.
fn advertisement(claimant: Mac, to: Ipv6Addr) -> Vec<u8> {
    neighbour(ADVERTISEMENT, OWNER6, to, OWNER6, &link_layer(2, claimant))
}

fn ethernet(destination: Mac, source: Mac, rest: &[u8]) -> Vec<u8> {
    [&destination[..], &source, rest].concat()
}

fn arp(operation: u8, mac: Mac, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 0x08, 0, 6, 4, 0, operation], &mac[..], &sender, &[0; 6], &target].concat()
}

fn ipv6_packet(from: Ipv6Addr, to: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let header = [&[0x86, 0xdd, 0x60, 0, 0, 0][..], &length, &[next_header, 255]].concat();
    [&header[..], &from.octets(), &to.octets(), payload].concat()
}

/// A neighbour discovery message with a target. An advertisement has the override flag, and the solicited
/// flag unless it is to all.
fn neighbour(kind: u8, from: Ipv6Addr, to: Ipv6Addr, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let flags = match kind {
        ADVERTISEMENT if to.is_multicast() => 0x20,
        ADVERTISEMENT => 0x60,
        _ => 0,
    };
    with_checksum(from, to, [&[kind, 0, 0, 0, flags, 0, 0, 0], &target.octets()[..], options].concat())
}

fn link_layer(option: u8, mac: Mac) -> Vec<u8> {
    [&[option, 1], &mac[..]].concat()
}

/// An `ICMPv6` message of even length with its checksum (RFC 4443, 2.3).
fn with_checksum(from: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let length = [0, u8::try_from(message.len()).unwrap(), 0, 58];
    let summed = [&from.octets()[..], &to.octets(), &length, &message].concat();
    let mut sum: u32 = summed.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    message[2..4].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    message
}

/// Makes a guest accept each announcement that Linux can accept.
fn accept_announcements(netns: &Netns) {
    netns.enter(|| {
        for (key, value) in [
            ("ipv4/neigh/eth0/locktime", "0"),
            ("ipv4/conf/eth0/arp_accept", "1"),
            ("ipv6/conf/eth0/accept_redirects", "1"),
            ("ipv6/conf/eth0/accept_ra", "1"),
        ] {
            std::fs::write(format!("/proc/sys/net/{key}"), value).unwrap();
        }
    });
}

/// Leaves only the owner in the neighbour table of the guest.
fn reset(netns: &Netns, owner: &Port) {
    netns.ip("neigh flush all");
    for ip in ["10.1.0.2", "fd00::2", "fe80::2"] {
        netns.ip(&format!("neigh replace {ip} lladdr {} dev eth0 nud stale", text(owner.mac)));
    }
}

/// The neighbour table of the guest: addresses and MAC addresses.
fn table(netns: &Netns) -> Vec<(String, String)> {
    let entries: Vec<Value> = serde_json::from_str(&netns.ip("-json neigh show dev eth0")).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut table: Vec<_> = entries.iter().map(|entry| (text(entry, "dst"), text(entry, "lladdr"))).collect();
    table.sort();
    table
}

/// Sends a claim, and waits until the switch has forwarded or dropped it.
fn claim(testbed: &mut Testbed, claimant: &Port, claim: &Claim) {
    let sender = testbed.sender(claimant);
    claim.frames.iter().for_each(|frame| sender.send(frame));
    testbed.forget_arrived(claimant);
}

#[test]
fn a_guest_that_owns_neither_address_changes_no_neighbour_table() {
    on_testbed(|testbed| {
        let network = testbed.network();
        let [guarded, unguarded, owner, third] =
            ["guarded", "unguarded", "owner", "third"].map(|name| testbed.guest(name, network));
        testbed.write_records();
        testbed.secure(&guarded, &["10.1.0.1", "fd00::1"]);
        testbed.relaunch();
        testbed.wait_until_all_up();
        address(testbed, &owner, "eth0", 2);
        address(testbed, &third, "eth0", 3);
        accept_announcements(testbed.netns(&third));

        // A claim proves something about port security only if Linux accepts it without.
        for sent in claims(unguarded.mac, third.mac) {
            reset(testbed.netns(&third), &owner);
            claim(testbed, &unguarded, &sent);
            let table = table(testbed.netns(&third));
            let is_accepted = table.iter().any(|(_, mac)| *mac == text(unguarded.mac));
            assert_eq!(is_accepted, sent.is_accepted, "{} {table:?}", sent.name);
        }

        reset(testbed.netns(&third), &owner);
        let before = table(testbed.netns(&third));
        assert_eq!(before.len(), 3, "{before:?}");
        for sent in claims(guarded.mac, third.mac) {
            claim(testbed, &guarded, &sent);
            assert_eq!(table(testbed.netns(&third)), before, "{}", sent.name);
        }
        let addresses = testbed.netns(&third).ip("address show dev eth0");
        assert!(!addresses.contains("dadfailed"), "{addresses}");
    });
}
