//! Time per frame, step by step, without sockets: `cargo bench --bench datapath`, or with `-- --quick`.
//!
//! A benchmark's name is `<step>/<traffic>/<frames in a burst>/<segmentations in the tables>`. The steps and
//! kinds of traffic are those of `testkit::bench`; `flood2` and `flood32` have that many receivers. Frames
//! are 64 bytes long with their tag, those of a burst come from one link, and their subports and addresses
//! are drawn from all of the tables.

#![allow(missing_docs, reason = "made by criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up has failed")]

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trunkpath::datapath::State;
use trunkpath::tables::{Publisher, Reader, Tables};
use trunkpath::xsk::Arena;

use testkit::bench::burst::{Burst, Kind, Maker};
use testkit::bench::scenario::{Guard, SizedScenario, Traffic};
use testkit::bench::step::{CLASSIFY, LOCATE, PIPELINE, Step, TO_PORT};

const BURSTS: [usize; 3] = [1, 32, 64];
const FULL_BURST: usize = 64;
const SEGMENTATIONS: [usize; 3] = [1, 1_000, 100_000];
/// Packets of 100,000 connections with and without what checks them, and packets that begin one.
const GUARDED: [(Guard, Traffic); 4] = [
    (Guard::Nothing, Traffic::Connections(100_000)),
    (Guard::Sources, Traffic::Connections(100_000)),
    (Guard::Groups(10_000), Traffic::Connections(100_000)),
    (Guard::Groups(10_000), Traffic::NewConnections),
];
const FLOOD_RECEIVERS: [usize; 2] = [2, 32];

/// Frames that are prepared before the clock starts: many, so that reading the clock costs nothing, and few
/// enough to be in the cache, as frames are that the kernel has just copied.
const FRAMES: usize = 512;

/// Tables of a scenario, and chunks for frames.
struct Bench {
    scenario: SizedScenario,
    publisher: Publisher,
    arena: &'static Arena,
}

impl Bench {
    fn new((scenario, tables): (SizedScenario, Tables), arena: &'static Arena) -> Self {
        Self { scenario, publisher: Publisher::new(tables), arena }
    }

    /// Times `step` with bursts of `kind`, as `id`.
    fn run(&self, group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, step: Step, kind: Kind) {
        group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
        group.throughput(Throughput::Elements(kind.frames as u64));
        let (tables, mut reader) = (self.publisher.current(), self.publisher.reader());
        let maker = || Maker::new(&self.scenario, &tables, self.arena, kind);
        let mut state = maker().state();
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|bursts| time(step, bursts, (&mut reader, &mut state), maker(), kind));
        });
    }
}

/// Time of `step` for `bursts` bursts, without that of making them.
fn time(
    step: Step,
    mut bursts: u64,
    (reader, state): (&mut Reader, &mut State),
    mut maker: Maker<'_>,
    kind: Kind,
) -> Duration {
    let round = (FRAMES / kind.frames) as u64;
    let mut total = Duration::ZERO;
    while bursts > 0 {
        let mut ready: Vec<Burst> = (0..bursts.min(round)).map(|_| maker.make()).collect();
        if kind.traffic == Traffic::NewConnections {
            maker.begin_round(state);
        }
        let start = Instant::now();
        for burst in &mut ready {
            (step.run)(reader, state, burst);
        }
        total += start.elapsed();
        bursts -= ready.len() as u64;
        ready.iter().for_each(Burst::check);
    }
    total
}

fn benches(criterion: &mut Criterion) {
    let arena = Arena::heap(FRAMES * FLOOD_RECEIVERS.into_iter().max().unwrap()).unwrap();
    for segmentations in SEGMENTATIONS {
        let bench = Bench::new(SizedScenario::new(segmentations), arena);
        let mut run = |step: Step, traffic: Traffic, frames: usize| {
            let mut group = criterion.benchmark_group(format!("{}/{}", step.name, traffic.name()));
            let kind = Kind { stage: step.stage, traffic, frames, copies: 0 };
            bench.run(&mut group, BenchmarkId::new(frames.to_string(), segmentations), step, kind);
        };
        for traffic in [Traffic::Hit, Traffic::Unknown, Traffic::Parents] {
            for frames in BURSTS {
                run(PIPELINE, traffic, frames);
            }
        }
        run(CLASSIFY, Traffic::Hit, FULL_BURST);
        run(CLASSIFY, Traffic::Parents, FULL_BURST);
        run(LOCATE, Traffic::Hit, FULL_BURST);
        run(LOCATE, Traffic::Unknown, FULL_BURST);
        run(TO_PORT, Traffic::Hit, FULL_BURST);
    }
    for (guard, traffic) in GUARDED {
        let bench = Bench::new(SizedScenario::guarded(1_000, guard), arena);
        let mut group =
            criterion.benchmark_group(format!("{}/{}_{}", PIPELINE.name, traffic.name(), guard.name()));
        let kind = Kind { stage: PIPELINE.stage, traffic, frames: FULL_BURST, copies: 0 };
        bench.run(&mut group, BenchmarkId::new(FULL_BURST.to_string(), 1_000), PIPELINE, kind);
    }
    for receivers in FLOOD_RECEIVERS {
        let bench = Bench::new(SizedScenario::for_floods(receivers), arena);
        let mut group = criterion.benchmark_group(format!("{}/flood{receivers}", PIPELINE.name));
        for frames in BURSTS {
            let copies = frames * (receivers - 1);
            let kind = Kind { stage: PIPELINE.stage, traffic: Traffic::Flood, frames, copies };
            bench.run(&mut group, BenchmarkId::new(frames.to_string(), 1_000), PIPELINE, kind);
        }
    }
}

criterion_group!(datapath, benches);
criterion_main!(datapath);
