//! Neighbour tables of a third guest: a guest that owns neither address does not change them.

use std::net::Ipv6Addr;

use serde_json::Value;

use super::transport::address;
use testkit::frame::{BROADCAST, Mac};
use testkit::netns::Netns;
use testkit::records::text;
use testkit::testbed::{Port, Testbed, on_testbed};

/// Of [`address`] with host numbers 2 and 3.
const OWNER: [u8; 4] = [10, 1, 0, 2];
const THIRD: [u8; 4] = [10, 1, 0, 3];
const OWNER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const THIRD6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 3);
const OWNER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Frames by which `liar` claims an address of the owner.
struct Claim {
    name: &'static str,
    /// Whether Linux believes it where nothing stops it.
    is_believed: bool,
    frames: Vec<Vec<u8>>,
}

fn claims(liar: Mac, third: Mac) -> Vec<Claim> {
    let mut claims = vec![];
    let mut add = |name, is_believed, frames: &[Vec<u8>]| {
        claims.push(Claim { name, is_believed, frames: frames.to_vec() });
    };
    let arp = |operation, sender, target| arp(operation, liar, sender, target);
    let reply = arp(2, OWNER, THIRD);
    add("ARP reply", true, &[ethernet(third, liar, &[&[0x08, 0x06], &reply[..]].concat())]);
    add(
        "gratuitous ARP",
        true,
        &[ethernet(BROADCAST, liar, &[&[0x08, 0x06], &arp(1, OWNER, OWNER)[..]].concat())],
    );
    add(
        "ARP request",
        true,
        &[ethernet(BROADCAST, liar, &[&[0x08, 0x06], &arp(1, OWNER, THIRD)[..]].concat())],
    );
    add(
        "ARP probe",
        false,
        &[ethernet(BROADCAST, liar, &[&[0x08, 0x06], &arp(1, [0; 4], THIRD)[..]].concat())],
    );
    let priority_tag = [&[0x81, 0, 0, 0, 0x08, 0x06], &reply[..]].concat();
    add("ARP behind a priority tag", true, &[ethernet(third, liar, &priority_tag)]);
    for (name, llc) in [
        ("ARP in SNAP", &[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x06][..]),
        ("ARP in SNAP to a group", &[0xab, 0xab, 3, 0, 0, 0, 0x08, 0x06]),
        ("ARP in LLC", &[0x98, 0x98, 3]),
    ] {
        add(name, false, &[ethernet(third, liar, &[&[0, 46], llc, &reply].concat())]);
    }

    let ipv6 = |from, to: Ipv6Addr, next_header, payload: &[u8]| {
        let destination = if to.is_multicast() { [0x33, 0x33, 0, 0, 0, 1] } else { third };
        ethernet(destination, liar, &ipv6_packet(from, to, next_header, payload))
    };
    let advertisement = |to| neighbour(ADVERTISEMENT, OWNER6, to, OWNER6, &link_layer(2, liar));
    add("advertisement", true, &[ipv6(OWNER6, THIRD6, 58, &advertisement(THIRD6))]);
    add("advertisement to all", true, &[ipv6(OWNER6, ALL_NODES, 58, &advertisement(ALL_NODES))]);
    let solicitation = neighbour(SOLICITATION, OWNER6, THIRD6, THIRD6, &link_layer(1, liar));
    add("solicitation", true, &[ipv6(OWNER6, THIRD6, 58, &solicitation)]);
    let probe = neighbour(SOLICITATION, Ipv6Addr::UNSPECIFIED, ALL_NODES, THIRD6, &[]);
    add("solicitation from ::", false, &[ipv6(Ipv6Addr::UNSPECIFIED, ALL_NODES, 58, &probe)]);
    let router = [&[134, 0, 0, 0, 64, 0, 0, 0][..], &[0; 8], &link_layer(1, liar)].concat();
    let router = with_checksum(OWNER_LINK_LOCAL, ALL_NODES, router);
    add("router advertisement", true, &[ipv6(OWNER_LINK_LOCAL, ALL_NODES, 58, &router)]);
    let redirect = [&OWNER6.octets()[..], &link_layer(2, liar)].concat();
    let redirect = neighbour(137, OWNER_LINK_LOCAL, THIRD6, OWNER6, &redirect);
    add("redirect", false, &[ipv6(OWNER_LINK_LOCAL, THIRD6, 58, &redirect)]);

    let message = advertisement(THIRD6);
    let behind = |header: &[u8]| [header, &message].concat();
    let options = behind(&[58, 0, 1, 4, 0, 0, 0, 0]);
    add("advertisement behind options", true, &[ipv6(OWNER6, THIRD6, 60, &options)]);
    for (name, next_header, header) in [
        ("advertisement in an atomic fragment", 44, &[58, 0, 0, 0, 0, 0, 0, 1][..]),
        ("advertisement behind an unassigned header", 200, &[58, 0, 0, 0, 0, 0, 0, 0]),
        (
            "advertisement behind AH",
            51,
            &[58, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
    ] {
        add(name, false, &[ipv6(OWNER6, THIRD6, next_header, &behind(header))]);
    }
    let (first, second) = message.split_at(16);
    let fragments = [([58, 0, 0, 1, 0, 0, 0, 2], first), ([58, 0, 0, 16, 0, 0, 0, 2], second)];
    let fragments = fragments.map(|(header, part)| ipv6(OWNER6, THIRD6, 44, &[&header[..], part].concat()));
    add("advertisement in two fragments", false, &fragments);
    let inverse =
        with_checksum(OWNER6, THIRD6, [&[142, 0, 0, 0, 0, 0, 0, 0], &link_layer(1, liar)[..]].concat());
    add("inverse advertisement", false, &[ipv6(OWNER6, THIRD6, 58, &inverse)]);
    claims
}

fn ethernet(destination: Mac, source: Mac, rest: &[u8]) -> Vec<u8> {
    [&destination[..], &source, rest].concat()
}

fn arp(operation: u8, mac: Mac, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 0x08, 0, 6, 4, 0, operation], &mac[..], &sender, &[0; 6], &target].concat()
}

/// EtherType and packet.
fn ipv6_packet(from: Ipv6Addr, to: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let header = [&[0x86, 0xdd, 0x60, 0, 0, 0][..], &length, &[next_header, 255]].concat();
    [&header[..], &from.octets(), &to.octets(), payload].concat()
}

/// A neighbour discovery message with a target; an advertisement overrides, and is solicited unless it is for all.
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

/// Has a guest believe what it is sent, as far as Linux can be told to.
fn make_gullible(netns: &Netns) {
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

/// Gives the guest the owner's addresses as they are, and nothing else.
fn reset(netns: &Netns, owner: &Port) {
    netns.ip("neigh flush all");
    for ip in ["10.1.0.2", "fd00::2", "fe80::2"] {
        netns.ip(&format!("neigh replace {ip} lladdr {} dev eth0 nud stale", text(owner.mac)));
    }
}

/// Addresses and MAC addresses in the guest's neighbour tables.
fn table(netns: &Netns) -> Vec<(String, String)> {
    let entries: Vec<Value> = serde_json::from_str(&netns.ip("-json neigh show dev eth0")).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut table: Vec<_> = entries.iter().map(|entry| (text(entry, "dst"), text(entry, "lladdr"))).collect();
    table.sort();
    table
}

/// Sends a claim of `liar`'s, and waits until it is through.
fn claim(testbed: &mut Testbed, liar: &Port, claim: &Claim) {
    let sender = testbed.sender(liar);
    claim.frames.iter().for_each(|frame| sender.send(frame));
    testbed.forget_arrived(liar);
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
        make_gullible(testbed.netns(&third));

        // What is not believed of a guest without port security shows nothing of port security.
        for sent in claims(unguarded.mac, third.mac) {
            reset(testbed.netns(&third), &owner);
            claim(testbed, &unguarded, &sent);
            let table = table(testbed.netns(&third));
            let is_believed = table.iter().any(|(_, mac)| *mac == text(unguarded.mac));
            assert_eq!(is_believed, sent.is_believed, "{} {table:?}", sent.name);
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
