//! The testbed itself, with a plain veth: sent and captured frames are equal to the byte.

use std::sync::Arc;

use testkit::frame::{BROADCAST, Frame, STAG, hex, tci};
use testkit::netns::{Netns, veth};
use testkit::root::is_root;
use testkit::stream::{Stream, assert_in_order};
use testkit::wire::{Capture, Sender};

const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];

#[test]
fn shows_what_it_sends() {
    if !is_root("shows_what_it_sends") {
        return;
    }
    let (here, there) = (Netns::new("here"), Netns::new("there"));
    veth((&here, "eth0"), (&there, "eth0", "02:00:00:00:00:02"), 1);
    let (sender, capture) = (Sender::new(&here, "eth0"), Capture::start(&there, "eth0"));

    let plain = Frame::new(HERE, THERE);
    let frames = [
        plain.clone(),
        Frame::new(HERE, BROADCAST),
        Frame::new(HERE, [0x33, 0x33, 0, 0, 0, 1]),
        Frame::new(HERE, [2, 9, 9, 9, 9, 9]),
        plain.carrying(&[]),
        plain.carrying(&[7; 1500]),
        plain.tagged(tci(5, true, 100)),
        plain.tagged(tci(0, false, 0)),
        plain.tagged(tci(3, false, 200)).tagged(tci(6, true, 100)),
        plain.tagged(tci(0, false, 200)).behind(STAG, tci(1, false, 100)),
        plain.carrying(&[7; 1500]).tagged(tci(0, false, 4094)),
    ];
    for frame in &frames {
        sender.send(&frame.bytes());
    }
    let last = frames.last().unwrap().bytes();
    let got: Vec<String> = capture.through(|frame| frame == last).iter().map(|frame| hex(frame)).collect();
    let sent: Vec<String> = frames.iter().map(|frame| hex(&frame.bytes())).collect();
    assert_eq!(got, sent);
    capture.stop();
}

#[test]
fn a_paced_stream_loses_nothing() {
    if !is_root("a_paced_stream_loses_nothing") {
        return;
    }
    let (here, there) = (Netns::new("here"), Netns::new("there"));
    veth((&here, "eth0"), (&there, "eth0", "02:00:00:00:00:02"), 1);
    let (sender, capture) = (Arc::new(Sender::new(&here, "eth0")), Capture::start(&there, "eth0"));
    let template = Frame::new(HERE, THERE).tagged(tci(0, false, 7));
    let mut stream = Stream::new(sender, template.clone());
    stream.send(5000);
    let stream = stream.start().stop();
    stream.assert_arrived(&capture, &template);
    capture.stop();
}

#[test]
#[should_panic(
    expected = "5 frames sent, 5 arrived: missing 1, first [3]; doubled 1; after a later one 1, first [1]"
)]
fn faults_of_a_stream_are_named() {
    assert_in_order(&[0, 2, 1, 4, 4], 5);
}
