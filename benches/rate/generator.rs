//! Offers frames to a device: as its guest would, by a thread on a CPU of its own.
//!
//! The frames are made in the kernel, by `BPF_PROG_TEST_RUN` with live frames, and are redirected to the guest's end
//! of the cable: the cheapest way there is to send, and one that does not wait for the receiver.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result};
use libbpf_rs::{Object, ProgramInput, Xdp, XdpFlags};
use nix::unistd::{Pid, gettid};

use crate::bpf::Programs;
use crate::frames::{Frames, HEADER_LEN};
use crate::netns::Netns;
use crate::threads;

/// The most frames of one system call: some milliseconds' worth.
const LARGEST_BATCH: u32 = 1 << 13;
/// System calls a second of a generator with a cap.
const CAPPED_CALLS: u32 = 2000;
/// Shapes of `struct plan` in generator.bpf.c.
const SHAPES: usize = 12;

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Load {
    pub frames: Frames,
    /// The guest's device.
    pub device: String,
    /// Frames a second at the most.
    pub cap: Option<u32>,
    /// The CPU to send from.
    pub cpu: usize,
}

/// A generator at work. Stops when dropped.
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

impl Generator {
    /// Starts one in the guests' namespace.
    pub fn start(programs: &Programs, netns: &Netns, load: Load) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (programs, netns, of_thread) = (programs.clone(), netns.name().to_owned(), Arc::clone(&shared));
        let (ready, started) = channel();
        let run = move || {
            threads::enter(&netns)?;
            threads::pin(Pid::from_raw(0), load.cpu)?;
            run(&programs, &load, &of_thread, &ready)
        };
        let thread = thread::Builder::new().name("generator".to_owned()).spawn(run)?;
        match started.recv() {
            Ok(tid) => Ok(Self { shared, thread: Some(thread), tid }),
            // It ended before it was ready.
            Err(_) => match thread.join() {
                Ok(outcome) => Err(outcome.err().context("the generator ended at once")?),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }

    /// Frames sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Stops it, and says how many frames it sent.
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
            // A failure was not asked for.
            drop(thread.join());
        }
    }
}

fn run(programs: &Programs, load: &Load, shared: &Shared, ready: &Sender<Pid>) -> Result<()> {
    const LIVE_FRAMES: u32 = libbpf_rs::libbpf_sys::BPF_F_TEST_XDP_LIVE_FRAMES;
    let object = load_plan(programs, load)?;
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "generate").context("no program generate")?;
    // A program that is attached somewhere stays in the kernel's XDP dispatcher. Otherwise each run would put it there and
    // take it out again, and wait for all CPUs (synchronize_rcu) both times: more than half of the time.
    let nowhere = nix::net::if_::if_nametoindex("lo")?.cast_signed();
    Xdp::new(program.as_fd()).attach(nowhere, XdpFlags::SKB_MODE)?;
    let longest = vec![0; load.frames.longest()];
    let batch = load.cap.map_or(LARGEST_BATCH, |cap| (cap / CAPPED_CALLS).clamp(1, LARGEST_BATCH));
    let start = Instant::now();
    // Nobody waits for it any more when this fails.
    ready.send(gettid()).unwrap_or_default();
    while !shared.stop.load(Ordering::Relaxed) {
        let mut input = ProgramInput { data_in: Some(&longest), ..ProgramInput::default() };
        (input.flags, input.repeat) = (LIVE_FRAMES, batch);
        program.test_run(input).context("BPF_PROG_TEST_RUN with live frames (Linux 5.18 has them)")?;
        let sent = shared.sent.fetch_add(u64::from(batch), Ordering::Relaxed) + u64::from(batch);
        if let Some(cap) = load.cap {
            let due = sent as f64 / f64::from(cap);
            while start.elapsed().as_secs_f64() < due && !shared.stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }
    }
    Ok(())
}

/// Loads the program for `load`; its variables are `struct plan` of generator.bpf.c.
fn load_plan(programs: &Programs, load: &Load) -> Result<Object> {
    let frames = &load.frames;
    let ifindex = nix::net::if_::if_nametoindex(load.device.as_str()).with_context(|| load.device.clone())?;
    let numbers = [
        ifindex,
        frames.vary_at as u32,
        u32::from(frames.vary_from),
        u32::from(frames.vary_count),
        frames.pattern.len() as u32,
    ];
    let mut plan: Vec<u8> = numbers.into_iter().flat_map(u32::to_ne_bytes).collect();
    assert!(frames.pattern.len() <= SHAPES, "a pattern of {} frames", frames.pattern.len());
    for frame in &frames.pattern {
        plan.extend(((frames.longest() - frame.len()) as u32).to_ne_bytes());
        plan.extend(&frame[..HEADER_LEN]);
    }
    let mut open = programs.open("generator")?;
    let mut rodata = open.maps_mut().find(|map| map.name().to_string_lossy().ends_with(".rodata"));
    let variables = rodata.as_mut().and_then(|map| map.initial_value_mut()).context("no .rodata")?;
    variables.get_mut(..plan.len()).context("struct plan has another size")?.copy_from_slice(&plan);
    open.load().context("loading the generator")
}
