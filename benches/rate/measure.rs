//! One measurement of one datapath with one job.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::frames::{CONNECTIONS, Frames};
use crate::generator::{Generator, Load, Way};
use crate::interrupt::nap;
use crate::job::Job;
use crate::peers::{Context, Peer};
use crate::threads;

/// Time from the first frame to the window in which frames count.
pub const SETTLE: Duration = Duration::from_millis(500);
/// Time from the last frame to the final count: enough for what a datapath queues, at most 75,000 frames in
/// trunkpath.
const DRAIN: Duration = Duration::from_millis(150);

/// Rate and number of the frames of each direction that establish connections: several for each of them.
const ESTABLISH_PPS: u32 = 50_000;
const ESTABLISH_FRAMES: u64 = 4 * CONNECTIONS as u64;

/// Conditions of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Duration in which frames count.
    pub window: Duration,
    /// Maximum rate of offered frames per second.
    pub cap: Option<u32>,
    pub way: Way,
}

/// Result of a measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sample {
    /// Right frames that arrived, per second.
    pub rate: f64,
    /// Frames that were offered, per second.
    pub offered: f64,
    /// CPU time in nanoseconds of the datapath's threads per right frame; of the generator's if the datapath
    /// has none.
    pub on_cpu_ns: f64,
    /// Cycles per frame as counted by the datapath, without waiting.
    pub busy_cycles: Option<f64>,
    /// Frames sent in the whole measurement.
    pub sent: u64,
    /// Frames that arrived as expected.
    pub right: u64,
    /// Frames that arrived with another length.
    pub wrong_length: u64,
    /// Frames that arrived with another tag.
    pub wrong_tag: u64,
    /// Drops in the whole measurement, by place.
    pub drops: BTreeMap<String, u64>,
}

/// Measures `peer`, which is paused before and after.
pub fn measure(context: &Context, peer: &dyn Peer, job: Job, conditions: Conditions) -> Result<Sample> {
    peer.resume();
    let sample = while_up(context, peer, job, conditions);
    peer.pause();
    sample
}

fn while_up(context: &Context, peer: &dyn Peer, job: Job, conditions: Conditions) -> Result<Sample> {
    establish(context, peer, job, conditions)?;
    let sink = peer.sink(job)?;
    let drops = all_drops(peer, job);
    let first = sink.counts()?;
    let generator = offer(context, peer, job, conditions.cap, conditions.way)?;
    let threads = if peer.threads().is_empty() { vec![generator.tid] } else { peer.threads() };
    nap(SETTLE)?;
    // Resets the count.
    peer.busy_cycles();

    let look = || {
        Ok::<_, anyhow::Error>((
            Instant::now(),
            sink.counts()?.right,
            generator.sent(),
            threads::on_cpu_ns(&threads),
        ))
    };
    let (start, right, sent, ran) = look()?;
    nap(conditions.window)?;
    let (end, right_then, sent_then, ran_then) = look()?;

    let busy_cycles = peer.busy_cycles();
    let sent_in_all = generator.stop()?;
    nap(DRAIN)?;
    let last = sink.counts()?;
    let seconds = (end - start).as_secs_f64();
    let frames = (right_then - right) as f64;
    Ok(Sample {
        rate: frames / seconds,
        offered: (sent_then - sent) as f64 / seconds,
        on_cpu_ns: (ran_then - ran) as f64 / frames.max(1.0),
        busy_cycles,
        sent: sent_in_all,
        right: last.right - first.right,
        wrong_length: last.wrong_length - first.wrong_length,
        wrong_tag: last.wrong_tag - first.wrong_tag,
        drops: more(&drops, &all_drops(peer, job)),
    })
}

/// Sends the packets that establish the connections of `job`: they may have expired since the last round.
fn establish(context: &Context, peer: &dyn Peer, job: Job, conditions: Conditions) -> Result<()> {
    for job in job.establish() {
        let generator = offer(context, peer, *job, Some(ESTABLISH_PPS), conditions.way)?;
        while generator.sent() < ESTABLISH_FRAMES {
            nap(Duration::from_millis(10))?;
        }
        generator.stop()?;
        nap(DRAIN)?;
    }
    Ok(())
}

/// Offers the frames of `job` to `peer`, at most `cap` per second.
pub fn offer(context: &Context, peer: &dyn Peer, job: Job, cap: Option<u32>, way: Way) -> Result<Generator> {
    let link = format!("v{}", job.from());
    let load = Load { frames: Frames::of(job), link, cap, cpu: context.generator_cpu, way };
    Generator::start(&context.programs, &peer.testbed().vms, load)
}

/// Drops so far on the path of `job`, by all counters.
pub fn all_drops(peer: &dyn Peer, job: Job) -> BTreeMap<String, u64> {
    let mut drops = peer.testbed().drops(job);
    drops.extend(peer.drops());
    drops
}

/// Increase of each count from `before` to `after`.
pub fn more(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = after.iter().map(|(place, count)| {
        (place.clone(), count.saturating_sub(before.get(place).copied().unwrap_or_default()))
    });
    grown.filter(|(_, count)| *count > 0).collect()
}
