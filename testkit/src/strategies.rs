//! Random scenarios and frames. Few ids, tags and addresses, so that many collide.

use std::fmt;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::frames::{BROADCAST, Checksum, Packet, frame, payload, tci};
use crate::scenario::{Link, Mac, Port, Scenario, Segmentation};

const VIDS: [u16; 3] = [1, 100, 4094];
const MULTICAST: Mac = [0x33, 0x33, 0, 0, 0, 1];
const RESERVED_MULTICAST: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x0e];

/// Default address of port `number`.
const fn mac(number: u8) -> Mac {
    [2, 0, 0, 0, 0, number]
}

/// Bytes that are printed on one line.
#[derive(Clone)]
pub struct Hex(pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Ports p1 to p9 on networks n1 to n3. Mostly p1 to p3 have links and the others are subports of them or of
/// each other; but references dangle, keys and addresses are shared, tags are claimed twice, and chains close
/// to loops.
pub fn scenario() -> impl Strategy<Value = Scenario> {
    let networks = vec(weighted(0.97, key()), 3);
    let ports = vec(weighted(0.95, port()), 9);
    let segmentations = btree_map("s[1-9]", segmentation(), 0..=9);
    let link = (prop::bool::weighted(0.95), any::<bool>());
    let links = btree_map(prop_oneof![9 => "p[1-3]", 1 => any_port_id()], link, 1..=4);
    let strict = btree_set(any_port_id(), 0..=2);
    (networks, ports, segmentations, links, strict)
        .prop_map(|(networks, ports, segmentations, links, strict)| Scenario {
            strict,
            networks: numbered('n', networks).map(|(id, number, key)| (id, key.unwrap_or(number))).collect(),
            ports: numbered('p', ports).map(|(id, number, port)| (id, named(number, port))).collect(),
            segmentations,
            links: links
                .into_iter()
                .map(|(port, (up, complete_checksums))| Link {
                    port,
                    up,
                    complete_checksums,
                    mtu: 1500,
                    worker: 0,
                })
                .collect(),
            ..Scenario::default()
        })
        .prop_flat_map(|scenario| (Just(scenario.links.clone()).prop_shuffle(), Just(scenario)))
        .prop_map(|(links, scenario)| Scenario { links, ..scenario })
}

/// The records that exist, with an id and a number from 1 on.
fn numbered<T>(prefix: char, records: Vec<Option<T>>) -> impl Iterator<Item = (String, u32, T)> {
    (1..)
        .zip(records)
        .filter_map(move |(number, record)| Some((format!("{prefix}{number}"), number, record?)))
}

/// A key that another record may have too; `None` is the number of the record.
fn key() -> impl Strategy<Value = Option<u32>> {
    weighted(0.03, 1..10_u32)
}

fn any_port_id() -> impl Strategy<Value = String> {
    "p[1-9]"
}

/// Key, further addresses, addresses of pairs, network, and admin state of a port.
type PortDraft = (Option<u32>, Vec<Mac>, Vec<Mac>, String, bool);

fn port() -> impl Strategy<Value = PortDraft> {
    let network = prop_oneof![8 => "n[12]", 1 => "n3"];
    let macs = prop_oneof![8 => Just(Vec::new()), 1 => vec(any_mac(), 1..=2)];
    let pairs = prop_oneof![5 => Just(Vec::new()), 2 => vec(any_mac(), 1..=2)];
    (key(), macs, pairs, network, prop::bool::weighted(0.95))
}

fn named(number: u32, (key, mut macs, pairs, network, enabled): PortDraft) -> Port {
    macs.push(mac(number as u8));
    Port { key: key.unwrap_or(number), network, macs, enabled, security: None, groups: None, pairs }
}

/// An address of a port, of pairs only (10, 11), or a group address.
fn any_mac() -> impl Strategy<Value = Mac> {
    prop_oneof![9 => (1..=11_u8).prop_map(mac), 1 => Just(MULTICAST)]
}

fn segmentation() -> impl Strategy<Value = Segmentation> {
    let parent = prop_oneof![5 => "p[1-3]", 4 => "p[4-6]", 1 => any_port_id()];
    let port = prop_oneof![9 => "p[4-9]", 1 => any_port_id()];
    (parent, port, select(&VIDS)).prop_map(|(parent, port, vid)| Segmentation { parent, port, vid })
}

/// A frame; four of five are valid.
pub fn any_frame() -> impl Strategy<Value = Hex> {
    prop_oneof![
        8 => sound_frame(),
        1 => cut_frame(),
        1 => corrupt_frame(),
        1 => vec(any::<u8>(), 0..80),
    ]
    .prop_map(Hex)
}

fn sound_frame() -> impl Strategy<Value = Vec<u8>> {
    let destination = prop_oneof![
        12 => any_mac(),
        3 => Just(BROADCAST),
        1 => any::<Mac>(),
        1 => Just(RESERVED_MULTICAST),
    ];
    let source = prop_oneof![30 => any_mac(), 1 => Just([0; 6])];
    (destination, source, vec(tag(), 0..=3), rest())
        .prop_map(|(destination, source, tags, rest)| frame(destination, source, &tags, &rest))
}

fn cut_frame() -> impl Strategy<Value = Vec<u8>> {
    (sound_frame(), any::<prop::sample::Index>()).prop_map(|(mut frame, at)| {
        frame.truncate(at.index(frame.len().min(80)));
        frame
    })
}

fn corrupt_frame() -> impl Strategy<Value = Vec<u8>> {
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (sound_frame(), flips).prop_map(|(mut frame, flips)| {
        for (at, value) in flips {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        frame
    })
}

fn tag() -> impl Strategy<Value = (u16, u16)> {
    let tpid = prop_oneof![12 => Just(0x8100), 1 => Just(0x88a8), 1 => Just(0x9100)];
    let vid = prop_oneof![12 => select(&VIDS), 1 => Just(0), 1 => Just(7), 1 => Just(4095)];
    (tpid, 0..8_u16, 0..2_u16, vid).prop_map(|(tpid, pcp, dei, vid)| (tpid, tci(pcp, dei, vid)))
}

/// What follows the tags: EtherType and payload.
fn rest() -> impl Strategy<Value = Vec<u8>> {
    Union::new_weighted(vec![(1, Just(payload()).boxed()), (2, packet().boxed())])
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let checksum = prop_oneof![
        6 => Just(Checksum::Partial),
        2 => Just(Checksum::Complete),
        1 => select(vec![Checksum::Value(0), Checksum::Value(0xffff)]),
    ];
    let odd_header = prop_oneof![4 => Just(0), 1 => select(vec![8, 24, 0x2000, 0x4000])];
    let protocol = prop_oneof![4 => Just(6), 4 => Just(17), 1 => Just(1)];
    (any::<bool>(), protocol, odd_header, checksum, vec(any::<u8>(), 0..90), 0..20_usize).prop_map(
        |(v6, protocol, odd_header, checksum, data, trailer)| {
            let odd_header = if v6 { odd_header % 0x2000 } else { odd_header };
            let mut bytes = Packet { odd_header, ..Packet::new(v6, protocol, checksum, &data) }.bytes();
            bytes.extend(vec![0xee; trailer]);
            bytes
        },
    )
}
