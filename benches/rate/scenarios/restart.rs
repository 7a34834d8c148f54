//! Time without frames while the switch is restarted.

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
use crate::peers::{Context, Ovs, Peer, Ports, Setup, Trunkpath};
use crate::report::median;
use crate::sink::Counter;

/// Number of ports of trunkpath: as the peer has them, and as a host has them.
const PORTS: [usize; 2] = [3, 100];
/// Rate in frames per second; with [`LOOK`] it bounds the precision.
const RATE: u32 = 100_000;
/// Interval between two readings of the counter.
const LOOK: Duration = Duration::from_micros(100);
const ROUNDS: usize = 5;
/// Time before the stop and after the start.
const CALM: Duration = Duration::from_millis(500);

/// Times at which a new process was started, and was complete.
struct Restarted {
    exec: Instant,
    all_up: Instant,
}

/// Times of one restart.
struct Times {
    /// Longest time without a frame.
    outage: Duration,
    /// Time from the start of the new process to its first frame.
    first_frame: Duration,
    /// Time from there until all ports and flows exist.
    all_up: Duration,
}

pub fn run(context: &Context, notes: &mut Notes<'_>) -> Result<()> {
    for ports in PORTS {
        let mut trunkpath = Trunkpath::start(context, &Setup { ports, ..Setup::new(context) })?;
        for (how, signal) in [("ended by SIGTERM", Signal::SIGTERM), ("ended by SIGKILL", Signal::SIGKILL)] {
            let what = format!("trunkpath, {ports} ports, {how}");
            several(context, &mut trunkpath, &what, notes, |trunkpath| {
                trunkpath.daemon.signal(signal);
                trunkpath.daemon.wait()?;
                let exec = Instant::now();
                trunkpath.start_again()?;
                trunkpath.wait_until_up()?;
                Ok(Restarted { exec, all_up: Instant::now() })
            })?;
        }
    }
    match Ovs::start(context, Ports::Afxdp) {
        Ok(mut ovs) => several(context, &mut ovs, "ovs-afxdp, 3 ports", notes, |ovs| {
            let exec = ovs.restart()?;
            Ok(Restarted { exec, all_up: Instant::now() })
        }),
        Err(error) => {
            notes.miss("ovs-afxdp", &error);
            Ok(())
        }
    }
}

fn several<P: Peer>(
    context: &Context,
    peer: &mut P,
    what: &str,
    notes: &mut Notes<'_>,
    restart: impl Fn(&mut P) -> Result<Restarted>,
) -> Result<()> {
    let times = (0..ROUNDS).map(|_| once(context, peer, &restart)).collect::<Result<Vec<_>>>()?;
    let figures = [
        ("no frame for", times.iter().map(|times| times.outage).collect::<Vec<_>>()),
        ("exec to first frame", times.iter().map(|times| times.first_frame).collect()),
        ("exec to all ports up", times.iter().map(|times| times.all_up).collect()),
    ];
    for (figure, values) in figures {
        let values: Vec<f64> = values.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let remark = format!("at most {most:.0} in {ROUNDS} rounds");
        notes.add_with(format!("{what}: {figure}"), median(values), "ms", &remark);
    }
    Ok(())
}

fn once<P: Peer>(
    context: &Context,
    peer: &mut P,
    restart: impl Fn(&mut P) -> Result<Restarted>,
) -> Result<Times> {
    let job = Job::UP;
    let counter = peer.sink(job)?.counter()?;
    let _generator = offer(context, peer, job, Some(RATE), Way::Live)?;
    nap(CALM)?;
    let done = AtomicBool::new(false);
    let (restarted, gap) = thread::scope(|scope| {
        let watcher = scope.spawn(|| longest_gap(&counter, &done));
        let restarted = restart(peer);
        // The watcher must end in any case.
        sleep(CALM);
        done.store(true, Ordering::Relaxed);
        (restarted, watcher.join().unwrap())
    });
    let (last, first) = gap?;
    let Restarted { exec, all_up } = restarted?;
    Ok(Times {
        outage: first - last,
        first_frame: first.saturating_duration_since(exec),
        all_up: all_up.saturating_duration_since(exec),
    })
}

/// Start and end of the longest time without a frame.
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
