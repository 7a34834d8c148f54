//! Frames made by a BPF program: the kernel runs it over its own pages, and redirects them to the peer.

use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anyhow::{Context as _, Result};
use libbpf_rs::{Object, ProgramInput, Xdp, XdpFlags};
use nix::unistd::{Pid, gettid};

use super::{Load, Shared, Way, wait_until_due};
use crate::bpf::Programs;
use crate::frames::HEADER_LEN;
use crate::threads;

/// Frames of one system call, which takes one or two milliseconds.
const BATCH: u32 = 1 << 13;
/// Frames of a burst, which is one system call too.
const BURST: u32 = 1 << 16;
/// System calls per second of a generator with a cap.
const CAPPED_CALLS: u32 = 2000;
/// Number of shapes in `struct plan` of generator.bpf.c.
const SHAPES: usize = 12;

/// Sends from this thread until it is stopped.
pub fn run(
    programs: &Programs,
    netns: &str,
    load: &Load,
    shared: &Shared,
    ready: &Sender<Pid>,
) -> Result<()> {
    const LIVE_FRAMES: u32 = libbpf_rs::libbpf_sys::BPF_F_TEST_XDP_LIVE_FRAMES;
    threads::enter(netns)?;
    threads::pin(Pid::from_raw(0), load.cpu)?;
    let object = load_plan(programs, load)?;
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "generate").context("no program generate")?;
    // A program that is attached somewhere stays in the kernel's XDP dispatcher. Otherwise each run adds and
    // removes it, with a synchronize_rcu each time: pauses between bursts.
    if load.way == Way::Live {
        let nowhere = nix::net::if_::if_nametoindex("lo")?.cast_signed();
        Xdp::new(program.as_fd()).attach(nowhere, XdpFlags::SKB_MODE)?;
    }
    // What follows the headers stays in the pages: datapaths with a tunnel decapsulate copies.
    let longest = load.frames.longest();
    let batch = match (load.way, load.cap) {
        (Way::Bursts, _) => BURST,
        (_, Some(cap)) => (cap / CAPPED_CALLS).clamp(1, BATCH),
        (_, None) => BATCH,
    };
    let start = Instant::now();
    // The receiver may have given up.
    ready.send(gettid()).unwrap_or_default();
    while !shared.is_stopped() {
        let mut input = ProgramInput { data_in: Some(longest), ..ProgramInput::default() };
        (input.flags, input.repeat) = (LIVE_FRAMES, batch);
        program.test_run(input).context("BPF_PROG_TEST_RUN with live frames (Linux 5.18 has them)")?;
        let sent = shared.sent.fetch_add(u64::from(batch), Ordering::Relaxed) + u64::from(batch);
        if let Some(cap) = load.cap {
            wait_until_due(sent, cap, start, || shared.is_stopped());
        }
    }
    Ok(())
}

/// Loads the program for `load`; its variables are `struct plan` of generator.bpf.c.
fn load_plan(programs: &Programs, load: &Load) -> Result<Object> {
    let frames = &load.frames;
    let ifindex = nix::net::if_::if_nametoindex(load.link.as_str()).with_context(|| load.link.clone())?;
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
        plan.extend(((frames.longest().len() - frame.len()) as u32).to_ne_bytes());
        plan.extend(&frame[..HEADER_LEN]);
    }
    let mut open = programs.open("generator")?;
    let mut rodata = open.maps_mut().find(|map| map.name().to_string_lossy().ends_with(".rodata"));
    let variables = rodata.as_mut().and_then(|map| map.initial_value_mut()).context("no .rodata")?;
    variables.get_mut(..plan.len()).context("struct plan has another size")?.copy_from_slice(&plan);
    open.load().context("loading the generator")
}
