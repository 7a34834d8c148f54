//! A guest that sends as much as it can: its neighbours do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::scope;

use crate::support::frame::{BROADCAST, Frame, tci};
use crate::support::lab::{Lab, Port, in_lab};
use crate::support::stream::Stream;
use crate::support::wait::until;

/// Frames of a storm, at least.
const STORM: u64 = 300_000;

const FLOOD_RATE: u64 = 2000;

/// A guest, a subport of it on another network, and on that a sender and a receiver.
struct Site {
    stormy: Port,
    subport: Port,
    sender: Port,
    receiver: Port,
}

fn site(lab: &mut Lab) -> Site {
    let (one, two) = (lab.network(), lab.network());
    let stormy = lab.guest("stormy", one);
    lab.guest("beside", one);
    let subport = lab.subport(&stormy, 100, two);
    let (sender, receiver) = (lab.guest("sender", two), lab.guest("receiver", two));
    lab.arguments.extend(["--flood-rate".to_owned(), FLOOD_RATE.to_string()]);
    lab.start();
    Site { stormy, subport, sender, receiver }
}

/// Sends `frame` from the guest of `from` without a pause, [`STORM`] times and on until `meanwhile` is done.
fn storm<T>(lab: &Lab, from: &Port, frame: &Frame, meanwhile: impl FnOnce(&AtomicU64) -> T) -> T {
    let (sender, bytes) = (lab.sender(from), frame.bytes());
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), AtomicBool::new(false));
    scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sent.fetch_add(u64::from(sender.offer(&bytes)), Ordering::Relaxed);
            }
        });
        let result = meanwhile(&sent);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// While `frame` storms out of the VLAN-aware guest, all frames from the sender to the receiver arrive, and the daemon
/// answers.
fn assert_unnoticed(lab: &mut Lab, site: &Site, frame: &Frame) {
    let template = Frame::new(site.sender.mac, site.receiver.mac);
    let stream = Stream::new(lab.sender(&site.sender), template.clone());
    let stream = storm(lab, &site.stormy, frame, |sent| {
        let running = stream.start();
        until("a storm", || {
            assert!(lab.daemon().show("ports").is_some(), "the daemon answers");
            (sent.load(Ordering::Relaxed) >= STORM).then_some(())
        });
        running.stop()
    });
    stream.assert_arrived(lab.capture(&site.receiver), &template);
}

#[test]
fn a_broadcast_storm_is_rationed_and_unnoticed_under_traffic() {
    in_lab(|lab| {
        let site = site(lab);
        let frame = Frame::new(site.subport.mac, BROADCAST).tagged(tci(0, false, 100));
        assert_unnoticed(lab, &site, &frame);
        assert!(lab.daemon().dropped(&site.subport.id(), "flood_rate") > STORM / 10);
        lab.forget_arrived(&site.stormy);
    });
}

#[test]
fn small_frames_at_full_rate_are_unnoticed_under_traffic() {
    in_lab(|lab| {
        let site = site(lab);
        let nobody = [2, 0xde, 0xad, 0, 0, 1];
        let frame = Frame::new(site.stormy.mac, nobody).carrying(&[]);
        assert_unnoticed(lab, &site, &frame);
        lab.forget_arrived(&site.stormy);
    });
}
