//! Round-trip times: a guest sends a tagged frame, another one on the subport's network returns it. Both are
//! ordinary programs with packet sockets, whose own cost is in every figure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use nix::unistd::Pid;

use super::Notes;
use super::packet_socket::PacketSocket;
use crate::frames::Frames;
use crate::interrupt;
use crate::job::Job;
use crate::peers::{Context, Kind, Peer, Setup, Trunkpath};
use crate::threads;

/// Round trips of one round, and the pause between two, in which a switch that sleeps when idle goes to
/// sleep.
const PINGS: u64 = 2500;
const PACE: Duration = Duration::from_micros(500);
const ROUNDS: usize = 4;
/// Time after which a frame counts as lost.
const PATIENCE: Duration = Duration::from_millis(50);
/// Size of the number at the end of a frame in bytes.
const NUMBER_LEN: usize = 8;

/// A datapath and its round-trip times.
struct Course {
    name: &'static str,
    peer: Box<dyn Peer>,
    times: Histogram<u64>,
    lost: u64,
}

pub fn run(context: &Context, notes: &mut Notes<'_>) -> Result<()> {
    let trunkpath = |arguments: &[&str]| -> Result<Box<dyn Peer>> {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Ok(Box::new(Trunkpath::start(context, &Setup { arguments, ..Setup::new(context) })?))
    };
    let peers = [
        ("trunkpath, adaptive", trunkpath(&[])),
        ("trunkpath, busy", trunkpath(&["--idle", "busy"])),
        ("ovs-afxdp", Kind::OvsAfxdp.start(context)),
        ("tc", Kind::Tc.start(context)),
    ];
    let mut courses = Vec::new();
    for (name, peer) in peers {
        match peer {
            Ok(peer) => {
                peer.pause();
                courses.push(Course { name, peer, times: Histogram::new(3)?, lost: 0 });
            }
            Err(error) => notes.miss(name, &error),
        }
    }
    for _ in 0..ROUNDS {
        for course in &mut courses {
            course.peer.resume();
            let outcome = ping_pong(context, course);
            course.peer.pause();
            outcome?;
        }
    }
    for Course { name, times, lost, .. } in &courses {
        let remark =
            if *lost == 0 { String::new() } else { format!("{lost} of {} lost", times.len() + lost) };
        for (percentile, text) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")] {
            let micros = times.value_at_quantile(percentile) as f64 / 1e3;
            notes.add_with(format!("{name}: there and back, {text}"), micros, "us", &remark);
        }
    }
    Ok(())
}

fn ping_pong(context: &Context, course: &mut Course) -> Result<()> {
    let vms = &course.peer.testbed().vms;
    let (here, there) = (PacketSocket::open(vms, "v1", PATIENCE)?, PacketSocket::open(vms, "v3", PATIENCE)?);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let echo = scope.spawn(|| {
            threads::pin(Pid::from_raw(0), context.generator_cpu)?;
            echo(&there, &done)
        });
        let pings = scope.spawn(|| {
            threads::pin(Pid::from_raw(0), context.generator_cpu)?;
            ping(&here, &mut course.times, &mut course.lost)
        });
        let outcome = pings.join();
        done.store(true, Ordering::Relaxed);
        let failed = |_| anyhow!("a thread ended with a panic");
        echo.join().map_err(failed)??;
        outcome.map_err(failed)?
    })
}

/// Sends frames and waits for each to return.
fn ping(socket: &PacketSocket, times: &mut Histogram<u64>, lost: &mut u64) -> Result<()> {
    let Frames { mut pattern, .. } = Frames::of(Job::UP);
    let mut frame = pattern.remove(0);
    let place = frame.len() - NUMBER_LEN;
    let start = Instant::now();
    for number in 1..=PINGS {
        interrupt::check()?;
        while start.elapsed() < PACE * u32::try_from(number)? {
            std::hint::spin_loop();
        }
        frame[place..].copy_from_slice(&number.to_be_bytes());
        let sent = Instant::now();
        socket.send(&frame)?;
        loop {
            match socket.receive()? {
                Some(back) if back.ends_with(&number.to_be_bytes()) => {
                    times.record(u64::try_from(sent.elapsed().as_nanos())?)?;
                    break;
                }
                // An earlier frame, which counted as lost.
                Some(_) => {}
                None => {
                    *lost += 1;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Returns each frame to its sender.
fn echo(socket: &PacketSocket, done: &AtomicBool) -> Result<()> {
    while !done.load(Ordering::Relaxed) {
        if let Some(mut frame) = socket.receive()? {
            let (destination, rest) = frame.split_at_mut(6);
            destination.swap_with_slice(&mut rest[..6]);
            socket.send(&frame)?;
        }
    }
    Ok(())
}
