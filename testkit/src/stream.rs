//! Streams of numbered frames, in which lost, duplicated and reordered frames show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use crate::frame::Frame;
use crate::window::Window;
use crate::wire::{Capture, Sender};

/// Frames between two pauses of [`REST`]. The ring between a veth and its XDP program has 256 entries; the
/// kernel drops what does not fit.
const BURST: u64 = 16;
const REST: Duration = Duration::from_millis(2);

/// A sender of numbered frames.
#[derive(Debug)]
pub struct Stream {
    sender: Arc<Sender>,
    template: Frame,
    /// Bytes that each payload begins with.
    head: Vec<u8>,
    next: u64,
}

impl Stream {
    /// Frames like `template` with numbered payloads, sent by `sender`.
    pub fn new(sender: Arc<Sender>, template: Frame) -> Self {
        Self { sender, template, head: vec![], next: 0 }
    }

    /// The same with payloads that begin with `head`. The number is behind an IP packet there, as padding is.
    pub fn with_head(self, head: Vec<u8>) -> Self {
        Self { head, ..self }
    }

    /// Sends `count` frames, slowly enough for every queue on the way.
    pub fn send(&mut self, count: u64) {
        for _ in 0..count {
            self.send_next();
            rest_after(self.next);
        }
    }

    fn send_next(&mut self) {
        self.sender.send(&self.numbered(&self.template, self.next).bytes());
        self.next += 1;
    }

    fn numbered(&self, frame: &Frame, number: u64) -> Frame {
        frame.carrying(&[&self.head[..], &payload(number)].concat())
    }

    /// Sends `count` frames of each of `templates` in turn; the last eight bytes of a payload become the
    /// number.
    pub fn interleaved(sender: &Sender, templates: &[Frame], count: u64) {
        let mut sent = 0;
        for number in 0..count {
            for template in templates {
                let mut frame = template.bytes();
                let end = frame.len();
                frame[end - 8..].copy_from_slice(&number.to_be_bytes());
                sender.send(&frame);
                sent += 1;
                rest_after(sent);
            }
        }
    }

    /// Sends `frames` unchanged, at the same rate.
    pub fn paced(sender: &Sender, frames: &[Vec<u8>]) {
        for (sent, frame) in (1..).zip(frames) {
            sender.send(frame);
            rest_after(sent);
        }
    }

    /// Sends in the background until it is stopped.
    pub fn start(self) -> Running {
        self.repeat(|stream| stream.send(BURST))
    }

    /// Sends to `capture` in the background, one frame less than a millisecond after the other, so that an
    /// outage of a millisecond shows.
    pub fn start_steadily(self, capture: &Capture) -> Running {
        let mut window = Window::new(capture.arrived());
        self.repeat(move |stream| {
            stream.send_next();
            window.wait();
        })
    }

    fn repeat(mut self, mut send: impl FnMut(&mut Self) + Send + 'static) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                send(&mut self);
            }
            self
        });
        Running { stop, thread }
    }

    /// Asserts that all frames so far arrived in `capture` as `received`, once each, in order.
    pub fn assert_arrived(&self, capture: &Capture, received: &Frame) {
        Self::assert_all_arrived(capture, &[(self, received)]);
    }

    /// The same for several streams to one guest.
    pub fn assert_all_arrived(capture: &Capture, streams: &[(&Self, &Frame)]) {
        let last = |(stream, received): &(&Self, &Frame)| stream.numbered(received, stream.next - 1).bytes();
        let mut awaited: Vec<Vec<u8>> = streams.iter().map(last).collect();
        let frames = capture.through(|frame| {
            awaited.retain(|last| frame != last);
            awaited.is_empty()
        });
        for (stream, received) in streams {
            let head = received.carrying(&stream.head).bytes();
            let own = frames.iter().filter(|frame| frame.starts_with(&head));
            assert_in_order(&own.map(|frame| number(frame)).collect::<Vec<_>>(), stream.next);
        }
    }
}

/// A stream that is sent in the background.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Stream>,
}

impl Running {
    /// Stops it, after a whole burst if it sends in bursts.
    pub fn stop(self) -> Stream {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn rest_after(sent: u64) {
    if sent.is_multiple_of(BURST) {
        sleep(REST);
    }
}

/// A payload of 50 bytes that ends with `number`.
pub fn payload(number: u64) -> Vec<u8> {
    [&[0x5a; 42][..], &number.to_be_bytes()].concat()
}

/// The number at the end of such a payload.
pub fn number(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[frame.len() - 8..].try_into().unwrap())
}

/// Asserts that `numbers` are 0 to `count` - 1.
pub fn assert_in_order(numbers: &[u64], count: u64) {
    if numbers.iter().copied().eq(0..count) {
        return;
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let missing: Vec<u64> = (0..count).filter(|number| sorted.binary_search(number).is_err()).collect();
    let late: Vec<u64> = numbers.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[1]).collect();
    let first = |list: &[u64]| format!("{}, first {:?}", list.len(), &list[..list.len().min(8)]);
    panic!(
        "{count} frames sent, {} arrived: missing {}; doubled {}; after a later one {}",
        numbers.len(),
        first(&missing),
        numbers.len() - sorted.len(),
        first(&late)
    );
}
