//! Pushing and stripping a tag, for every VID and every length.

use trunkpath::packet::{Header, dot1q};
use trunkpath::types::{Pcp, Tci, VlanId};
use trunkpath::xsk::{Arena, CHUNK_BYTES, Frame, HEADROOM_BYTES};

const MAX_LEN: usize = CHUNK_BYTES - HEADROOM_BYTES;

fn vids() -> impl Iterator<Item = VlanId> {
    (VlanId::MIN.get()..=VlanId::MAX.get()).map(|vid| VlanId::new(vid).unwrap())
}

fn frame_of(bytes: &[u8]) -> Frame {
    let mut frame = Arena::heap(1).unwrap().take().unwrap();
    assert!(frame.set_bytes(bytes));
    frame
}

/// Bytes that differ from their neighbours, so that a shift by a few of them shows.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 256) as u8).collect()
}

#[test]
fn stripping_undoes_pushing_for_every_vid_at_every_length() {
    let pattern = pattern(MAX_LEN);
    let mut frame = frame_of(&pattern);
    for len in Header::LEN..=MAX_LEN {
        assert!(frame.set_bytes(&pattern[..len]));
        let payload = frame.bytes()[12..].as_ptr();
        for vid in vids() {
            let tci = Tci::new(vid, Pcp::new(vid.get() as u8, len % 2 == 0));
            dot1q::push(&mut frame, tci).unwrap();
            let [tci_hi, tci_lo] = tci.to_be_bytes();
            let bytes = frame.bytes();
            assert_eq!(bytes.len(), len + 4);
            assert_eq!(bytes[..12], pattern[..12]);
            assert_eq!(bytes[12..16], [0x81, 0x00, tci_hi, tci_lo]);
            assert_eq!(bytes[16..].as_ptr(), payload, "the payload stays where it is");
            dot1q::strip(&mut frame);
            assert_eq!(frame.bytes()[..12], pattern[..12]);
            assert_eq!(frame.bytes()[12..].as_ptr(), payload);
        }
        // The bytes did not move, so one comparison after the last VID is enough.
        assert_eq!(frame.bytes(), &pattern[..len], "{len} bytes");
    }
}

#[test]
fn tags_stack_until_the_headroom_is_full_and_come_off_in_reverse() {
    let original = pattern(60);
    let mut frame = frame_of(&original);
    let tcis: Vec<_> = vids().take(HEADROOM_BYTES / 4).map(|vid| Tci::new(vid, Pcp::default())).collect();
    for tci in &tcis {
        dot1q::push(&mut frame, *tci).unwrap();
    }
    let full = frame.bytes().to_vec();
    assert!(dot1q::push(&mut frame, tcis[0]).is_err());
    assert_eq!(frame.bytes(), full, "a refused tag changes nothing");
    for tci in tcis.iter().rev() {
        assert_eq!(Header::parse(frame.bytes()).unwrap().tag.unwrap().tci, *tci);
        dot1q::strip(&mut frame);
    }
    assert_eq!(frame.bytes(), original);
}

#[test]
fn a_frame_without_a_whole_header_gets_no_tag_and_loses_none() {
    for len in 0..Header::TAGGED_LEN {
        let bytes = pattern(len);
        let mut frame = frame_of(&bytes);
        dot1q::strip(&mut frame);
        assert_eq!(frame.bytes(), bytes);
        let pushed = dot1q::push(&mut frame, Tci::new(VlanId::MIN, Pcp::default()));
        assert_eq!(pushed.is_ok(), len >= Header::LEN, "{len} bytes");
        assert_eq!(frame.bytes().len(), if pushed.is_ok() { len + 4 } else { len });
    }
}
