//! Offers frames to a link as its guest would, from a CPU of its own.

mod afxdp;
mod live;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use nix::unistd::Pid;
use serde::Serialize;

use crate::bpf::Programs;
use crate::frames::Frames;
use testkit::netns::Netns;

pub use afxdp::{Transmit, transmit};

/// How frames are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// In the kernel, by `BPF_PROG_TEST_RUN` with live frames: the cheapest way, without socket buffers
    Live,
    /// The same in bursts of 65,536 frames, some milliseconds long, and pauses for as long and longer
    Bursts,
    /// By an AF_XDP socket on the guest's link, in socket buffers, as most guests send
    Afxdp,
}

/// Frames to send, and how.
#[derive(Debug, Clone)]
pub struct Load {
    pub frames: Frames,
    /// Link of the sending guest.
    pub link: String,
    /// Maximum rate in frames per second.
    pub cap: Option<u32>,
    /// CPU of the sending thread.
    pub cpu: usize,
    pub way: Way,
}

/// A running generator, stopped when dropped.
#[derive(Debug)]
pub struct Generator {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
    /// The thread that sends.
    pub tid: Pid,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Generator {
    /// Starts one in the guests' namespace.
    pub fn start(programs: &Programs, netns: &Netns, load: Load) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (programs, netns, of_thread) = (programs.clone(), netns.name().to_owned(), Arc::clone(&shared));
        let (ready, started) = channel();
        let run = move || match load.way {
            Way::Live | Way::Bursts => live::run(&programs, &netns, &load, &of_thread, &ready),
            Way::Afxdp => afxdp::run(&netns, &load, &of_thread, &ready),
        };
        let thread = thread::Builder::new().name("generator".to_owned()).spawn(run)?;
        match started.recv() {
            Ok(tid) => Ok(Self { shared, thread: Some(thread), tid }),
            // The thread ended before it was ready.
            Err(_) => match thread.join() {
                Ok(outcome) => Err(outcome.err().context("the generator ended at once")?),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }

    /// Number of frames sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Stops it; returns the number of frames sent.
    pub fn stop(mut self) -> Result<u64> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.take().map(JoinHandle::join);
        match outcome {
            Some(Ok(result)) => result?,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => {}
        }
        Ok(self.sent())
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Ignores a failure, which belongs to no measurement.
            drop(thread.join());
        }
    }
}

/// Spins until `sent` frames are due at `cap` frames per second, or until the run is over.
fn wait_until_due(sent: u64, cap: u32, start: Instant, is_over: impl Fn() -> bool) {
    let due = sent as f64 / f64::from(cap);
    while start.elapsed().as_secs_f64() < due && !is_over() {
        std::hint::spin_loop();
    }
}
