//! Frames at the limits, each with all differences that it shows.

use std::collections::BTreeSet;

use super::difference::Difference::{
    self, ChecksumLeftPartial, CutTagIsPayload, DisguiseDelivered, InvalidSourceForwarded, NoHairpin,
    PriorityLost, ReservedFlooded, SenderIsReceiver, ServiceTagSelects, TagLeaks, TagOverwritten,
    TwoTagsSeen,
};
use super::scenarios::mac;
use testkit::frames::{BROADCAST, Checksum, Packet, frame, payload, tagged, tci};
use testkit::scenario::Mac;

// Addresses in `scenarios::two_trunks`.
const ONE: Mac = mac(1);
const ONE_B: Mac = mac(2);
const ONE_A: Mac = mac(3);
const ONE_B2: Mac = mac(4);
const TWO: Mac = mac(5);
const TWO_A: Mac = mac(6);
const TWO_B: Mac = mac(7);
const PEER_A: Mac = mac(8);
const PEER_B: Mac = mac(9);
const NOBODY: Mac = mac(0x99);
const GROUP: Mac = [0x33, 0x33, 0, 0, 0, 1];

/// A frame that enters by the link of `from`, and the differences that it shows with any of the flows.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub from: &'static str,
    pub frame: Vec<u8>,
    pub differ: BTreeSet<Difference>,
}

type Row = (&'static str, &'static str, Vec<u8>, &'static [Difference]);

pub fn all() -> impl Iterator<Item = Case> {
    let parts =
        [of_parents(), of_subports(), to_subports(), of_other_kinds(), floods(), short(), long(), rest()];
    parts.into_iter().flatten().map(|(name, from, frame, differ)| {
        let differ = differ.iter().copied().collect();
        Case { name, from, frame, differ }
    })
}

fn of_parents() -> Vec<Row> {
    let to_peer = |tcis: &[u16]| tagged(PEER_A, ONE, tcis);
    vec![
        ("untagged", "one", to_peer(&[]), &[]),
        ("priority tag without a priority", "one", to_peer(&[0]), &[]),
        ("priority tag", "one", to_peer(&[tci(5, 1, 0)]), &[]),
        ("unknown VID, the lowest", "one", to_peer(&[1]), &[]),
        ("unknown VID with a priority", "one", to_peer(&[tci(3, 1, 101)]), &[]),
        ("reserved VID", "one", to_peer(&[4095]), &[]),
        ("VID of another parent's subport", "two", tagged(PEER_B, TWO, &[200]), &[]),
        ("VID of a subport behind an unknown one", "one", to_peer(&[7, 100]), &[]),
        ("to the network of a subport", "one", tagged(PEER_B, ONE, &[]), &[]),
        ("to the own subport on the own network", "one", tagged(ONE_A, ONE, &[]), &[NoHairpin]),
        ("to a parent", "peer-a", tagged(ONE, PEER_A, &[]), &[]),
    ]
}

fn of_subports() -> Vec<Row> {
    let from_subport = |to: Mac, tcis: &[u16]| tagged(to, ONE_B, tcis);
    let high = tci(5, 1, 100);
    vec![
        ("to a port", "one", from_subport(PEER_B, &[100]), &[]),
        ("with a priority, to a port", "one", from_subport(PEER_B, &[high]), &[]),
        ("the same VID on another trunk", "two", tagged(PEER_A, TWO_A, &[100]), &[]),
        ("to the parent's network", "one", from_subport(PEER_A, &[100]), &[]),
        ("to another trunk's subport", "one", from_subport(TWO_B, &[100]), &[]),
        ("to another trunk's parent", "one", from_subport(TWO, &[high]), &[]),
        ("with a priority, to another trunk's subport", "one", from_subport(TWO_B, &[high]), &[PriorityLost]),
        ("to a subport of the same parent", "one", from_subport(ONE_B2, &[100]), &[NoHairpin]),
        (
            "with a priority, to a subport of the same parent",
            "one",
            from_subport(ONE_B2, &[high]),
            &[NoHairpin, PriorityLost],
        ),
        ("with an inner tag", "one", from_subport(PEER_B, &[100, tci(5, 1, 200)]), &[]),
        (
            "with an inner 802.1ad tag",
            "one",
            frame(PEER_B, ONE_B, &[(0x8100, 100), (0x88a8, 7)], &payload()),
            &[],
        ),
        ("with two inner tags", "one", from_subport(PEER_B, &[100, 7, 8]), &[]),
    ]
}

fn to_subports() -> Vec<Row> {
    let to_subport = |tcis: &[u16]| tagged(ONE_B, PEER_B, tcis);
    vec![
        ("untagged, to a subport", "peer-b", to_subport(&[]), &[]),
        ("tagged, to a subport", "peer-b", to_subport(&[7]), &[TagOverwritten]),
        (
            "with a priority tag, to a subport",
            "peer-b",
            to_subport(&[tci(6, 1, 0)]),
            &[PriorityLost, TagOverwritten],
        ),
        ("with two tags, to a subport", "peer-b", to_subport(&[7, 8]), &[TagOverwritten, TwoTagsSeen]),
        ("with three tags, to a subport", "peer-b", to_subport(&[7, 8, 9]), &[TagOverwritten, TwoTagsSeen]),
        ("tag of its subport, to a parent", "peer-a", tagged(ONE, PEER_A, &[100]), &[DisguiseDelivered]),
        ("tag of no subport, to a parent", "peer-a", tagged(ONE, PEER_A, &[1]), &[]),
        ("tag of the parent's other subport, to a subport", "peer-b", to_subport(&[200]), &[TagOverwritten]),
    ]
}

fn of_other_kinds() -> Vec<Row> {
    let behind = |to: Mac, tags: &[(u16, u16)]| frame(to, ONE_B, tags, &payload());
    let llc = [&[0, 38, 0x42, 0x42, 3][..], &[0; 43]].concat();
    vec![
        ("802.1ad, VID of a subport", "one", behind(PEER_B, &[(0x88a8, 100)]), &[ServiceTagSelects]),
        ("the same, to the parent's network", "one", behind(PEER_A, &[(0x88a8, 100)]), &[ServiceTagSelects]),
        ("802.1ad before 802.1Q", "one", behind(PEER_B, &[(0x88a8, 100), (0x8100, 7)]), &[ServiceTagSelects]),
        ("802.1ad, unknown VID", "one", behind(PEER_A, &[(0x88a8, 7)]), &[]),
        ("0x9100, VID of a subport", "one", behind(PEER_A, &[(0x9100, 100)]), &[]),
        ("802.3 length and LLC", "one", frame(PEER_A, ONE, &[], &llc), &[]),
        ("tagged 802.3 length and LLC", "one", frame(PEER_B, ONE_B, &[(0x8100, 100)], &llc), &[]),
        ("from a group address", "one", tagged(PEER_A, GROUP, &[]), &[InvalidSourceForwarded]),
        ("from zero", "one", tagged(PEER_A, [0; 6], &[]), &[InvalidSourceForwarded]),
        (
            "LLDP",
            "one",
            tagged([0x01, 0x80, 0xc2, 0, 0, 0x0e], ONE, &[]),
            &[NoHairpin, ReservedFlooded, SenderIsReceiver, TagLeaks, TagOverwritten],
        ),
    ]
}

fn floods() -> Vec<Row> {
    const FLOOD: &[Difference] = &[NoHairpin, SenderIsReceiver, TagLeaks, TagOverwritten];
    // With three subports, whose tags are pushed one after the other.
    const LARGE: &[Difference] = &[NoHairpin, SenderIsReceiver, TagLeaks, TagOverwritten, TwoTagsSeen];
    vec![
        ("broadcast of a port", "peer-b", tagged(BROADCAST, PEER_B, &[]), LARGE),
        ("multicast of a port", "peer-b", tagged(GROUP, PEER_B, &[]), LARGE),
        ("broadcast of a parent", "one", tagged(BROADCAST, ONE, &[]), FLOOD),
        ("broadcast of a subport", "one", tagged(BROADCAST, ONE_B, &[100]), LARGE),
    ]
}

fn short() -> Vec<Row> {
    let to_peer = |len: usize| tagged(PEER_A, ONE, &[100])[..len].to_vec();
    let untagged = |len: usize| tagged(PEER_A, ONE, &[])[..len].to_vec();
    let from_subport = |len: usize| tagged(PEER_B, ONE_B, &[100, 7])[..len].to_vec();
    vec![
        ("runt", "one", untagged(20), &[]),
        ("nothing but a header", "one", untagged(14), &[]),
        ("half a type", "one", untagged(13), &[]),
        ("nothing but a tag and a type", "one", tagged(PEER_B, ONE_B, &[100])[..18].to_vec(), &[]),
        ("cut in the type behind the tag", "one", to_peer(17), &[CutTagIsPayload]),
        ("cut behind the tag", "one", to_peer(16), &[CutTagIsPayload]),
        ("cut in the tag", "one", to_peer(15), &[CutTagIsPayload]),
        ("cut behind the TPID", "one", to_peer(14), &[CutTagIsPayload]),
        ("cut, to the subport's network", "one", from_subport(17), &[]),
        ("cut in the second tag", "one", from_subport(21), &[CutTagIsPayload]),
        ("cut in the tag behind an unknown one", "one", tagged(PEER_A, ONE, &[7, 100])[..21].to_vec(), &[]),
        ("cut, to a subport", "peer-b", tagged(ONE_B, PEER_B, &[7])[..16].to_vec(), &[CutTagIsPayload]),
    ]
}

fn long() -> Vec<Row> {
    let filled = |mut frame: Vec<u8>, len: usize| {
        frame.resize(len, 0xee);
        frame
    };
    vec![
        ("full, to a subport", "peer-b", filled(tagged(ONE_B, PEER_B, &[]), 1514), &[]),
        ("full, of a subport", "one", filled(tagged(PEER_B, ONE_B, &[100]), 1518), &[]),
        (
            "full with a tag, to a subport",
            "peer-b",
            filled(tagged(ONE_B, PEER_B, &[7]), 1518),
            &[TagOverwritten],
        ),
    ]
}

fn rest() -> Vec<Row> {
    let packet = |checksum| frame(PEER_A, ONE, &[], &Packet::new(false, 17, checksum, b"hello").bytes());
    vec![
        ("to an unknown address", "one", tagged(NOBODY, ONE, &[]), &[]),
        ("to its own address", "one", tagged(ONE, ONE, &[]), &[SenderIsReceiver]),
        ("of a subport to its own address", "one", tagged(ONE_B, ONE_B, &[100]), &[SenderIsReceiver]),
        ("complete checksum", "one", packet(Checksum::Complete), &[]),
        ("partial checksum", "one", packet(Checksum::Partial), &[ChecksumLeftPartial]),
    ]
}
