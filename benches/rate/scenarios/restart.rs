//! How long no frame passes while the switch is ended and started again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;

use super::Notes;
use crate::generator::Way;
use crate::interrupt::nap;
use crate::job::Job;
use crate::measure::offer;
use crate::peers::{Lab, Ours, Ovs, Peer, Ports, Setup};
use crate::report::median;
use crate::sink::Counter;

/// Ports of our daemon.
const PORTS: usize = 100;
/// Frames a second; together with [`LOOK`] how exact a figure is.
const RATE: u32 = 100_000;
/// Between two looks at the counter.
const LOOK: Duration = Duration::from_micros(100);
const ROUNDS: usize = 5;
/// Before the end and after the start.
const CALM: Duration = Duration::from_millis(500);

pub fn run(lab: &Lab, notes: &mut Notes<'_>) -> Result<()> {
    let mut ours = Ours::start(lab, &Setup { ports: PORTS, ..Setup::new(lab) })?;
    for (how, signal) in [("ended by SIGTERM", Signal::SIGTERM), ("ended by SIGKILL", Signal::SIGKILL)] {
        let what = format!("ours, {PORTS} ports, {how}");
        several(lab, &mut ours, &what, notes, |ours| {
            ours.daemon.signal(signal);
            ours.daemon.wait()?;
            let exec = Instant::now();
            ours.start_again()?;
            ours.wait_until_up()?;
            Ok(exec)
        })?;
    }
    drop(ours);
    match Ovs::start(lab, Ports::Afxdp) {
        Ok(mut ovs) => several(lab, &mut ovs, "ovs-afxdp, 3 ports", notes, Ovs::restart),
        Err(error) => {
            notes.miss("ovs-afxdp", &error);
            Ok(())
        }
    }
}

fn several<P: Peer>(
    lab: &Lab,
    peer: &mut P,
    what: &str,
    notes: &mut Notes<'_>,
    restart: impl Fn(&mut P) -> Result<Instant>,
) -> Result<()> {
    let (mut outages, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (outage, start) = once(lab, peer, &restart)?;
        outages.push(outage.as_secs_f64() * 1e3);
        starts.push(start.as_secs_f64() * 1e3);
    }
    let most = |values: &[f64]| {
        format!("at most {:.0} in {ROUNDS} rounds", values.iter().copied().fold(0.0, f64::max))
    };
    let remark = most(&outages);
    notes.add_with(format!("{what}: no frame for"), median(outages), "ms", &remark);
    let remark = most(&starts);
    notes.add_with(format!("{what}: exec to first frame"), median(starts), "ms", &remark);
    Ok(())
}

/// The longest time without a frame, and that from the start of the new process to its first frame.
fn once<P: Peer>(
    lab: &Lab,
    peer: &mut P,
    restart: impl Fn(&mut P) -> Result<Instant>,
) -> Result<(Duration, Duration)> {
    let job = Job::UP;
    let counter = peer.sink(job)?.counter()?;
    let _generator = offer(lab, peer, job, Some(RATE), Way::Live)?;
    nap(CALM)?;
    let done = AtomicBool::new(false);
    let (exec, gap) = thread::scope(|scope| {
        let watcher = scope.spawn(|| longest_gap(&counter, &done));
        let exec = restart(peer);
        // Whatever came of it, the watcher has to end.
        sleep(CALM);
        done.store(true, Ordering::Relaxed);
        (exec, watcher.join().unwrap())
    });
    let (last, first) = gap?;
    Ok((first - last, first.saturating_duration_since(exec?)))
}

/// From the last frame before the longest silence to the first one after it.
fn longest_gap(counter: &Counter, done: &AtomicBool) -> Result<(Instant, Instant)> {
    let (mut right, mut at) = (counter.counts()?.right, Instant::now());
    let mut longest = (at, at);
    while !done.load(Ordering::Relaxed) {
        sleep(LOOK);
        let (now, then) = (counter.counts()?.right, Instant::now());
        if now != right {
            if then - at > longest.1 - longest.0 {
                longest = (at, then);
            }
            (right, at) = (now, then);
        }
    }
    Ok(longest)
}
