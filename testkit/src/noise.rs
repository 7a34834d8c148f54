//! Background frames on links that change. Their arrival is not checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use parking_lot::Mutex;

use crate::frame::Frame;
use crate::testbed::{Port, Testbed};
use crate::wire::Sender;

/// Pause between two rounds; in each, every port sends its frames once.
const REST: Duration = Duration::from_millis(2);

/// Frames of a port and its sender, which is replaced when the link was created again.
#[derive(Debug)]
struct Source {
    port: u32,
    frames: Vec<Vec<u8>>,
    sender: Mutex<Arc<Sender>>,
}

/// Background frames, until it is dropped.
#[derive(Debug)]
pub struct Noise {
    sources: Arc<Vec<Source>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Noise {
    /// Starts to send these frames from each guest.
    pub fn start(testbed: &Testbed, sources: &[(&Port, Vec<Frame>)]) -> Self {
        let source = |(port, frames): &(&Port, Vec<Frame>)| Source {
            port: port.key,
            frames: frames.iter().map(Frame::bytes).collect(),
            sender: Mutex::new(testbed.sender(port)),
        };
        let sources = Arc::new(sources.iter().map(source).collect::<Vec<_>>());
        let stop = Arc::new(AtomicBool::new(false));
        let (senders, stopped) = (Arc::clone(&sources), Arc::clone(&stop));
        let thread = spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for source in senders.iter() {
                    let sender = Arc::clone(&source.sender.lock());
                    for frame in &source.frames {
                        // A deleted link, or one that is down, sends nothing.
                        sender.offer(frame);
                    }
                }
                sleep(REST);
            }
        });
        Self { sources, stop, thread: Some(thread) }
    }

    /// Sends on the new link of this guest from now on.
    pub fn reopen(&self, testbed: &Testbed, port: &Port) {
        for source in self.sources.iter().filter(|source| source.port == port.key) {
            *source.sender.lock() = Arc::new(Sender::new(testbed.netns(port), "eth0"));
        }
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of the thread is printed by itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
