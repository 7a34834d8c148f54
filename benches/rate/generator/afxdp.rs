//! Frames sent by an AF_XDP socket of the crate, in a child process: packet memory is never freed before its
//! process ends.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use trunkpath::types::QueueId;
use trunkpath::xsk::{Arena, BURST_FRAMES, ChunkPool, XskSocket};

use super::{Load, Shared, wait_until_due};
use crate::frames::Frames;
use crate::interrupt;
use crate::threads;
use testkit::netns::command_in;

/// Chunks of the child's packet memory.
const FRAMES: usize = 8192;
/// Interval at which the child prints the number of frames sent.
const REPORT_INTERVAL: Duration = Duration::from_millis(10);

/// Runs the child until it is stopped.
pub fn run(netns: &str, load: &Load, shared: &Shared, ready: &Sender<Pid>) -> Result<()> {
    let this = std::env::current_exe()?;
    let mut command = command_in(netns, this.to_str().context("a path that is no UTF-8")?);
    let Frames { pattern, vary_at, vary_from, vary_count } = &load.frames;
    command.args(["transmit", "--link", &load.link, "--cpu", &load.cpu.to_string()]);
    command.args(["--vary-at", &vary_at.to_string(), "--vary-from", &vary_from.to_string()]);
    command.args(["--vary-count", &vary_count.to_string()]);
    if let Some(cap) = load.cap {
        command.args(["--cap", &cap.to_string()]);
    }
    command.args(pattern.iter().map(|frame| text(frame)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    // The first line means that it is ready; each other one is the number of frames sent.
    if lines.next().is_some() {
        // The receiver may have given up.
        ready.send(pid).unwrap_or_default();
    }
    let mut told = false;
    for line in lines {
        shared.sent.store(line?.parse()?, Ordering::Relaxed);
        if shared.is_stopped() && !told {
            kill(pid, Signal::SIGTERM)?;
            told = true;
        }
    }
    child.wait()?;
    Ok(())
}

/// Options of the child.
#[derive(Debug, Args)]
pub struct Transmit {
    #[arg(long)]
    link: String,
    #[arg(long)]
    cpu: usize,
    #[arg(long)]
    cap: Option<u32>,
    #[arg(long)]
    vary_at: usize,
    #[arg(long)]
    vary_from: u16,
    #[arg(long)]
    vary_count: u16,
    /// Frames in hexadecimal, sent one after the other
    pattern: Vec<String>,
}

/// The child process: sends until it is stopped.
pub fn transmit(options: &Transmit) -> Result<()> {
    interrupt::listen()?;
    threads::pin(Pid::from_raw(0), options.cpu)?;
    let arena = Arena::umem(FRAMES)?;
    let mut pool = ChunkPool::new(arena);
    let mut socket = XskSocket::open(arena, 0, &options.link, QueueId(0))?;
    let pattern = options.pattern.iter().map(|frame| bytes(frame)).collect::<Result<Vec<_>>>()?;
    let mut frames = pattern.iter().cycle().zip((0..options.vary_count).cycle());
    println!("0");
    let is_over = || interrupt::check().is_err();
    let (start, mut sent, mut burst, mut next_report) = (Instant::now(), 0, Vec::new(), REPORT_INTERVAL);
    while !is_over() {
        socket.complete(&mut pool);
        while burst.len() < BURST_FRAMES
            && let Some(mut frame) = pool.take()
            && let Some((bytes, value)) = frames.next()
        {
            assert!(frame.set_bytes(bytes), "a frame of {} bytes", bytes.len());
            frame.bytes_mut()[options.vary_at..][..2]
                .copy_from_slice(&(options.vary_from + value).to_be_bytes());
            burst.push(frame);
        }
        sent += socket.transmit(&mut burst) as u64;
        socket.kick();
        if let Some(cap) = options.cap {
            wait_until_due(sent, cap, start, is_over);
        }
        if start.elapsed() > next_report {
            println!("{sent}");
            next_report = start.elapsed() + REPORT_INTERVAL;
        }
    }
    println!("{sent}");
    Ok(())
}

fn text(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<_> = text.chars().collect();
    let byte = |pair: &[char]| Ok(u8::from_str_radix(&pair.iter().collect::<String>(), 16)?);
    digits.chunks(2).map(byte).collect()
}
