//! The report of a run: as a table, as JSON, as a chart.

mod chart;
mod json;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::job::Job;
use crate::measure::Sample;
use crate::peers::Kind;
use crate::plan::{Plan, Results};

pub use chart::draw;
pub use json::write;
pub use table::print;

/// Spread above which a row is too noisy to be used by itself: the distance of its fastest and slowest round
/// as a fraction of the median. Ratios, which compare within a round, tolerate more.
pub const NOISE_BOUND: f64 = 0.5;

/// Fraction of the requested rate that a generator must reach.
const NEARLY: f64 = 0.95;

/// Minimum number of rounds for a spread.
const FEWEST_ROUNDS: usize = 2;

/// Row of one job on one datapath.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub job: String,
    pub peer: Kind,
    pub rounds: usize,
    /// Right frames that arrived, in millions per second.
    pub median_mpps: f64,
    pub min_mpps: f64,
    pub max_mpps: f64,
    /// Spread of the rounds: (max - min) / median.
    pub spread: f64,
    pub too_noisy: bool,
    /// Median over the rounds of trunkpath's rate divided by this one.
    pub trunkpath_by_this: Option<f64>,
    /// Offered frames in millions per second, the median.
    pub offered_mpps: f64,
    pub on_cpu_ns: f64,
    /// Whether that CPU time includes the generator's.
    pub on_generators_cpu: bool,
    /// Median of the cycles per frame, without waiting if `cycles_are_busy`.
    pub cycles: f64,
    pub cycles_are_busy: bool,
    /// Fractions of the frames sent that were lost, by place of the drop.
    pub lost: BTreeMap<String, f64>,
    /// Frames that arrived with a wrong length or tag.
    pub wrong: u64,
}

/// Rows of a run, by job and in the order of the plan.
pub fn rows(plan: &Plan, results: &Results, mhz: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, job) in plan.jobs.iter().enumerate() {
        let trunkpath = results.samples.get(&(place, Kind::Trunkpath));
        for kind in &plan.kinds {
            if let Some(samples) = results.samples.get(&(place, *kind)) {
                rows.extend(row(*job, *kind, samples, trunkpath.map(Vec::as_slice), mhz));
            }
        }
    }
    rows
}

fn row(
    job: Job,
    peer: Kind,
    rounds: &[Option<Sample>],
    trunkpath: Option<&[Option<Sample>]>,
    mhz: f64,
) -> Option<Row> {
    let samples: Vec<_> = rounds.iter().flatten().collect();
    if samples.is_empty() {
        return None;
    }
    let of = |value: &dyn Fn(&Sample) -> f64| median(samples.iter().map(|sample| value(sample)).collect());
    let rates: Vec<_> = samples.iter().map(|sample| sample.rate / 1e6).collect();
    let (min, max) =
        rates.iter().fold((f64::MAX, 0_f64), |(min, max), rate| (min.min(*rate), max.max(*rate)));
    let median_mpps = median(rates);
    let spread = (max - min) / median_mpps.max(f64::MIN_POSITIVE);
    let busy: Vec<_> = samples.iter().filter_map(|sample| sample.busy_cycles).collect();
    let on_cpu_ns = of(&|sample| sample.on_cpu_ns);
    Some(Row {
        job: job.to_string(),
        peer,
        rounds: samples.len(),
        median_mpps,
        min_mpps: min,
        max_mpps: max,
        spread,
        too_noisy: samples.len() >= FEWEST_ROUNDS && spread > NOISE_BOUND,
        trunkpath_by_this: trunkpath.and_then(|trunkpath| ratio(trunkpath, rounds)),
        offered_mpps: of(&|sample| sample.offered / 1e6),
        on_cpu_ns,
        on_generators_cpu: matches!(peer, Kind::Tc | Kind::Xdp | Kind::BridgeNft | Kind::Ceiling),
        cycles_are_busy: !busy.is_empty(),
        cycles: if busy.is_empty() { on_cpu_ns * mhz / 1e3 } else { median(busy) },
        lost: lost(&samples),
        wrong: samples.iter().map(|sample| sample.wrong_length + sample.wrong_tag).sum(),
    })
}

/// Records where the generator was too slow.
pub fn note_slow_generator(plan: &Plan, rows: &[Row], results: &mut Results) {
    let Some(asked) = plan.conditions.cap.map(|cap| f64::from(cap) / 1e6) else { return };
    for row in rows.iter().filter(|row| row.offered_mpps < asked * NEARLY) {
        let why = format!("the generator reached {:.3} Mpps", row.offered_mpps);
        results.miss(&format!("{}, {} at {asked} Mpps", row.job, row.peer), &why);
    }
}

/// Median of the rates of `one`, each divided by that of `other` in the same round.
pub fn ratio(one: &[Option<Sample>], other: &[Option<Sample>]) -> Option<f64> {
    let pairs = one.iter().zip(other).filter_map(|(one, other)| Some((one.as_ref()?, other.as_ref()?)));
    let ratios: Vec<_> = pairs.map(|(one, other)| one.rate / other.rate.max(1.0)).collect();
    (!ratios.is_empty()).then(|| median(ratios))
}

/// The middle value, or the mean of the two middle ones.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Fractions of the frames sent that were lost, by place.
fn lost(samples: &[&Sample]) -> BTreeMap<String, f64> {
    let sent = samples.iter().map(|sample| sample.sent).sum::<u64>().max(1) as f64;
    let mut places = BTreeMap::<String, u64>::new();
    for sample in samples {
        for (place, count) in &sample.drops {
            *places.entry(place.clone()).or_default() += count;
        }
    }
    // Drops of packet sockets have no counter that others can read.
    let arrived =
        samples.iter().map(|sample| sample.right + sample.wrong_length + sample.wrong_tag).sum::<u64>();
    let unseen = sent - arrived as f64 - places.values().sum::<u64>() as f64;
    let mut lost: BTreeMap<_, _> =
        places.into_iter().map(|(place, count)| (place, count as f64 / sent)).collect();
    if unseen > 0.0 {
        lost.insert("nowhere counted".to_owned(), unseen / sent);
    }
    lost
}
