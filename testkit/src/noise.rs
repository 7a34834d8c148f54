//! Frames from links that come and go, a few at a time: what of them arrives is nobody's concern.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use parking_lot::Mutex;

use crate::frame::Frame;
use crate::testbed::{Port, Testbed};
use crate::wire::Sender;

/// Between two rounds, in each of which every port sends its frames once.
const REST: Duration = Duration::from_millis(2);

/// What a port sends, and by what; after its link was made anew by something else.
#[derive(Debug)]
struct Source {
    port: u32,
    frames: Vec<Vec<u8>>,
    sender: Mutex<Arc<Sender>>,
}

/// See the module. It ends when dropped.
#[derive(Debug)]
pub struct Noise {
    sources: Arc<Vec<Source>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Noise {
    /// Each of these guests sends its frames, from now on.
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
                        // One whose link is gone, or off, sends nothing.
                        sender.offer(frame);
                    }
                }
                sleep(REST);
            }
        });
        Self { sources, stop, thread: Some(thread) }
    }

    /// The link of this guest is another one now.
    pub fn reopen(&self, testbed: &Testbed, port: &Port) {
        for source in self.sources.iter().filter(|source| source.port == port.key) {
            *source.sender.lock() = Arc::new(Sender::new(testbed.netns(port), "eth0"));
        }
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of the thread is one of this module, and shows by itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
