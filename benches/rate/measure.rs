//! One measurement: one datapath, one job, some seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::frames::Frames;
use crate::generator::{Generator, Load, Way};
use crate::interrupt::nap;
use crate::job::Job;
use crate::peers::{Context, Peer};
use crate::threads;

/// From the first frame to the window in which frames count.
pub const SETTLE: Duration = Duration::from_millis(500);
/// From the last frame to the last look: long enough for what waits in a datapath, 75,000 frames in ours at the most.
const DRAIN: Duration = Duration::from_millis(150);

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// How long frames count.
    pub window: Duration,
    /// Frames offered a second at the most.
    pub cap: Option<u32>,
    pub way: Way,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sample {
    /// Right frames that arrived, a second.
    pub rate: f64,
    /// Frames that were offered, a second.
    pub offered: f64,
    /// Nanoseconds on a CPU of the datapath's threads, for each right frame; of the generator's where the datapath has
    /// none.
    pub on_cpu_ns: f64,
    /// Cycles a frame by the datapath's own account, waiting not counted.
    pub busy_cycles: Option<f64>,
    /// Frames of the whole measurement that were sent.
    pub sent: u64,
    /// Those that arrived right.
    pub right: u64,
    /// Those that arrived with another length.
    pub wrong_length: u64,
    /// Those that arrived with another tag.
    pub wrong_tag: u64,
    /// Where frames were dropped, and how many, in the whole measurement.
    pub drops: BTreeMap<String, u64>,
}

/// Measures `peer`, which stands still before and after.
pub fn measure(context: &Context, peer: &dyn Peer, job: Job, conditions: Conditions) -> Result<Sample> {
    peer.resume();
    let sample = while_up(context, peer, job, conditions);
    peer.pause();
    sample
}

fn while_up(context: &Context, peer: &dyn Peer, job: Job, conditions: Conditions) -> Result<Sample> {
    let sink = peer.sink(job)?;
    let drops = all_drops(peer, job);
    let first = sink.counts()?;
    let generator = offer(context, peer, job, conditions.cap, conditions.way)?;
    let threads = if peer.threads().is_empty() { vec![generator.tid] } else { peer.threads() };
    nap(SETTLE)?;
    // Counts from here on.
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

/// Offers the frames of `job` to `peer`, at most `cap` a second.
pub fn offer(context: &Context, peer: &dyn Peer, job: Job, cap: Option<u32>, way: Way) -> Result<Generator> {
    let device = format!("v{}", job.from());
    let load = Load { frames: Frames::of(job), device, cap, cpu: context.generator_cpu, way };
    Generator::start(&context.programs, &peer.testbed().vms, load)
}

/// Frames dropped so far on the way of `job`, by whoever counts.
pub fn all_drops(peer: &dyn Peer, job: Job) -> BTreeMap<String, u64> {
    let mut drops = peer.testbed().drops(job);
    drops.extend(peer.drops());
    drops
}

/// What `after` has more than `before`.
pub fn more(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = after.iter().map(|(place, count)| {
        (place.clone(), count.saturating_sub(before.get(place).copied().unwrap_or_default()))
    });
    grown.filter(|(_, count)| *count > 0).collect()
}
