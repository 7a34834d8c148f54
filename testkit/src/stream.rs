//! Numbered frames: which are missing, doubled or out of order shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use crate::frame::Frame;
use crate::window::Window;
use crate::wire::{Capture, Sender};

/// Frames between two rests of [`REST`] of a sender. A veth has room for 256 frames on their way to an XDP program and
/// drops the rest, whoever is behind it.
const BURST: u64 = 16;
const REST: Duration = Duration::from_millis(2);

/// What sends numbered frames.
#[derive(Debug)]
pub struct Stream {
    sender: Arc<Sender>,
    template: Frame,
    next: u64,
}

impl Stream {
    /// Copies of `template` but for the payload, by `sender`.
    pub fn new(sender: Arc<Sender>, template: Frame) -> Self {
        Self { sender, template, next: 0 }
    }

    /// Sends `count` frames, at a rate that no queue on the way overflows at.
    pub fn send(&mut self, count: u64) {
        for _ in 0..count {
            self.send_next();
            rest_after(self.next);
        }
    }

    fn send_next(&mut self) {
        self.sender.send(&self.template.carrying(&payload(self.next)).bytes());
        self.next += 1;
    }

    /// Sends `count` frames of each of `templates`, whose payloads end with eight bytes for the number, in turns.
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

    /// Sends `frames` as they are, at that rate.
    pub fn paced(sender: &Sender, frames: &[Vec<u8>]) {
        for (sent, frame) in (1..).zip(frames) {
            sender.send(frame);
            rest_after(sent);
        }
    }

    /// Goes on sending in the background.
    pub fn start(self) -> Running {
        self.repeat(|stream| stream.send(BURST))
    }

    /// Goes on sending to `capture` in the background, one frame after the other, less than a millisecond apart, so that an
    /// interruption as short as that shows.
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

    /// Makes sure that all frames so far arrived in `capture`, once each, in order, looking like `received`.
    pub fn assert_arrived(&self, capture: &Capture, received: &Frame) {
        Self::assert_all_arrived(capture, &[(self, received)]);
    }

    /// The same, where several streams come to one guest.
    pub fn assert_all_arrived(capture: &Capture, streams: &[(&Self, &Frame)]) {
        let last =
            |(stream, received): &(&Self, &Frame)| received.carrying(&payload(stream.next - 1)).bytes();
        let mut awaited: Vec<Vec<u8>> = streams.iter().map(last).collect();
        let frames = capture.through(|frame| {
            awaited.retain(|last| frame != last);
            awaited.is_empty()
        });
        for (stream, received) in streams {
            let head = received.carrying(&[]).bytes();
            let own = frames.iter().filter(|frame| frame.starts_with(&head));
            assert_in_order(&own.map(|frame| number(frame)).collect::<Vec<_>>(), stream.next);
        }
    }
}

/// A stream that is being sent.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Stream>,
}

impl Running {
    /// Ends it, after a whole burst if it sends in bursts.
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

/// 50 bytes that end with `number`.
pub fn payload(number: u64) -> Vec<u8> {
    [&[0x5a; 42][..], &number.to_be_bytes()].concat()
}

/// The number of a frame with such a payload.
pub fn number(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[frame.len() - 8..].try_into().unwrap())
}

/// Makes sure that `numbers` are 0 to `count` - 1.
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
