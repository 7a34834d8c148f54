//! Frames that guests exchange, compared to the byte.

use std::collections::BTreeMap;

use super::{Port, Testbed};
use crate::frame::{Frame, Frames, MARKER, ethertype, hex, tci};
use crate::stream::Stream;

impl Testbed {
    /// Sends `frames` from the guest of `from`; every guest must receive exactly what `expected` lists for
    /// it, in any order.
    pub fn exchange(&mut self, from: &Port, frames: &dyn Frames, expected: &[(&Port, &dyn Frames)]) {
        for frame in frames.as_slice() {
            self.guests[from.guest].sender.send(&frame.bytes());
        }
        self.expect(from, expected);
    }

    /// The same with bytes of frames, and guests by the names of their links.
    pub fn exchange_bytes(
        &mut self,
        from: &str,
        frames: &[Vec<u8>],
        expected: &BTreeMap<String, Vec<String>>,
    ) {
        let guest = self.guests.iter().position(|guest| guest.dev == from).expect("a guest of that name");
        Stream::paced(&self.guests[guest].sender, frames);
        self.expect_bytes(guest, expected.clone());
    }

    /// The second half of [`Testbed::exchange`], for frames that the guest of `from` has already sent.
    pub fn expect(&mut self, from: &Port, expected: &[(&Port, &dyn Frames)]) {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (port, frames) in expected {
            let frames = frames.as_slice().iter().map(|frame| hex(&frame.bytes()));
            wanted.entry(self.dev(port).to_owned()).or_default().extend(frames);
        }
        self.expect_bytes(from.guest, wanted);
    }

    /// The same with frames as hexadecimal numbers, and guests by the names of their links.
    fn expect_bytes(&mut self, from: usize, mut wanted: BTreeMap<String, Vec<String>>) {
        for (guest, frames) in self.arrived(from).into_iter().enumerate() {
            let dev = &self.guests[guest].dev;
            let mut got: Vec<_> = frames.iter().map(|frame| hex(frame)).collect();
            let mut wanted = wanted.remove(dev).unwrap_or_default();
            got.sort();
            wanted.sort();
            assert!(
                got == wanted,
                "guest {dev}, after frames from {}\n{}",
                self.guests[from].dev,
                difference(&got, &wanted)
            );
        }
    }

    /// Discards what arrived at the guests so far, where `sender` sent last.
    pub fn forget_arrived(&mut self, sender: &Port) {
        drop(self.arrived(sender.guest));
    }

    /// Frames that arrived at each guest so far, where `sender` sent last.
    ///
    /// A marker follows the frames from `sender`; when it has arrived, all frames before it have left the
    /// switch. Markers to all other guests follow then, so each guest has all its frames when it has its
    /// marker.
    fn arrived(&mut self, sender: usize) -> Vec<Vec<Vec<u8>>> {
        let mut arrived = vec![vec![]; self.guests.len()];
        let (first, frames) = self.mark(|from, _| from.guest == sender);
        arrived[first] = frames;
        for guest in (0..self.guests.len()).filter(|guest| *guest != first) {
            arrived[guest] = self.mark(|_, to| to.guest == guest).1;
        }
        for frames in &mut arrived {
            frames.retain(|frame| ethertype(frame) != MARKER);
        }
        arrived
    }

    /// Sends a marker between two ports of two guests that `fits` accepts. Returns the receiving guest and
    /// all frames that it got until then.
    fn mark(&mut self, fits: impl Fn(&Port, &Port) -> bool) -> (usize, Vec<Vec<u8>>) {
        let pairs = self.ports.iter().flat_map(|from| self.ports.iter().map(move |to| (from, to)));
        let (from, to) = pairs
            .filter(|(from, to)| from.network == to.network && from.guest != to.guest)
            .filter(|(from, to)| fits(from, to))
            // The pair with the fewest tags depends on the least of the switch.
            .min_by_key(|(from, to)| from.vids.len() + to.vids.len())
            .expect("each guest of a test shares a network with another");

        self.markers += 1;
        let payload = [&self.markers.to_be_bytes()[..], &[0; 42]].concat();
        let marker = Frame { ethertype: MARKER, ..Frame::new(from.mac, to.mac).carrying(&payload) };
        let sent = from.vids.iter().rev().fold(marker, |frame, vid| frame.tagged(tci(0, false, *vid)));
        self.guests[from.guest].sender.send(&sent.bytes());
        let frames = self.guests[to.guest].capture.through(|frame| frame.ends_with(&payload));
        (to.guest, frames)
    }
}

/// Description of how two sorted lists of frames differ.
fn difference(got: &[String], wanted: &[String]) -> String {
    let without = |list: &[String], other: &[String]| {
        let mut other = other.iter().peekable();
        let mut left = vec![];
        for frame in list {
            while other.next_if(|next| *next < frame).is_some() {}
            if other.next_if(|next| *next == frame).is_none() {
                left.push(frame.clone());
            }
        }
        left
    };
    let (more, less) = (without(got, wanted), without(wanted, got));
    format!(
        "got {} frames, expected {}\n  unexpected {more:#?}\n     missing {less:#?}",
        got.len(),
        wanted.len()
    )
}
