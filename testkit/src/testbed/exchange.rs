//! Frames between guests of the testbed.

use super::{Port, Testbed};
use crate::exchange::FramesByStation;
use crate::frame::{Frame, Frames};

impl Testbed {
    /// Sends `frames` from the guest of `from`; every guest must receive exactly what `expected` lists for
    /// it, in any order.
    pub fn exchange(&mut self, from: &Port, frames: &dyn Frames, expected: &[(&Port, &dyn Frames)]) {
        for frame in frames.as_slice() {
            self.exchange.stations[from.guest].sender.send(&frame.bytes());
        }
        self.expect(from, expected);
    }

    /// The same with bytes of frames, from several guests at once, and guests by the names of their links.
    pub fn exchange_bytes(&mut self, sent: &FramesByStation, expected: FramesByStation) {
        self.exchange.send(sent);
        let senders: Vec<_> = sent.keys().map(|name| self.exchange.guest(name)).collect();
        self.exchange.assert_arrived(&senders, expected);
    }

    /// The second half of [`Testbed::exchange`], for frames that the guest of `from` has already sent.
    pub fn expect(&mut self, from: &Port, expected: &[(&Port, &dyn Frames)]) {
        let mut wanted = FramesByStation::new();
        for (port, frames) in expected {
            let frames = frames.as_slice().iter().map(Frame::bytes);
            wanted.entry(self.dev(port).to_owned()).or_default().extend(frames);
        }
        self.exchange.assert_arrived(&[from.guest], wanted);
    }

    /// Discards what arrived at the guests so far, where `sender` sent last.
    pub fn forget_arrived(&mut self, sender: &Port) {
        drop(self.exchange.arrived(&[sender.guest]));
    }
}
