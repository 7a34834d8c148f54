//! What a frame costs, step by step: `cargo bench`, or `cargo bench -- --quick`. Without sockets.
//!
//! A benchmark's name is `<step>/<frames in a burst>/<segmentations in the tables>`. `classify` includes stripping
//! the tag, `dispatch` pushing one; `pipeline` is all of the route, from one subport to another. Frames are 64 bytes
//! long with their tag, those of a burst come from one link, and their subports and addresses are drawn from the
//! whole of the tables.

#![allow(missing_docs, reason = "made by criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up has failed")]

mod burst;
mod cloud;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trunkpath::datapath::{classify, destination, dispatch, forward};
use trunkpath::tables::{Publisher, Reader};
use trunkpath::xsk::Arena;

use burst::{Burst, Maker, Stage};
use cloud::Cloud;

const BURSTS: [usize; 3] = [1, 32, 64];
const SEGMENTATIONS: [usize; 3] = [1, 1_000, 100_000];

/// Frames that are ready when the clock starts: many, so that reading the clock costs nothing.
const FRAMES: usize = 1024;

type Step = fn(&mut Reader, &mut Burst);

const STEPS: [(&str, Stage, Step); 4] = [
    ("classify", Stage::Received, run_classify),
    ("destination", Stage::Classified, run_destination),
    ("dispatch", Stage::Classified, run_dispatch),
    ("pipeline", Stage::Received, run_pipeline),
];

fn run_classify(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for job in &mut burst.jobs {
        black_box(classify(&mut job.frame, burst.link, tables, 0).is_ok());
    }
}

fn run_destination(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for job in &burst.jobs {
        black_box(destination(&job.frame, &job.source, tables).is_ok());
    }
}

fn run_dispatch(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for job in burst.jobs.drain(..) {
        dispatch(job.frame, job.source.pcp, job.to, tables, &mut burst.sent);
    }
}

fn run_pipeline(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for job in burst.jobs.drain(..) {
        forward(job.frame, burst.link, tables, &mut burst.sent);
    }
}

/// The time that `step` takes for `bursts` bursts of `maker`'s; making them is not counted.
fn time(step: Step, mut bursts: u64, reader: &mut Reader, mut maker: Maker<'_>) -> Duration {
    let round = (FRAMES / maker.frames_per_burst) as u64;
    let mut total = Duration::ZERO;
    while bursts > 0 {
        let mut ready: Vec<Burst> = (0..bursts.min(round)).map(|_| maker.make()).collect();
        let start = Instant::now();
        for burst in &mut ready {
            step(reader, burst);
        }
        total += start.elapsed();
        bursts -= ready.len() as u64;
        ready.iter().for_each(Burst::check);
    }
    total
}

fn benches(criterion: &mut Criterion) {
    let arena = Arena::heap(FRAMES).unwrap();
    for segmentations in SEGMENTATIONS {
        let (cloud, tables) = Cloud::new(segmentations);
        let publisher = Publisher::new(tables);
        let (tables, mut reader) = (publisher.current(), publisher.reader());
        for (name, stage, step) in STEPS {
            let mut group = criterion.benchmark_group(name);
            group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
            for burst in BURSTS {
                group.throughput(Throughput::Elements(burst as u64));
                let id = BenchmarkId::new(burst.to_string(), segmentations);
                group.bench_function(id, |bencher| {
                    let maker = || Maker::new(&cloud, &tables, arena, stage, burst);
                    bencher.iter_custom(|bursts| time(step, bursts, &mut reader, maker()));
                });
            }
        }
    }
}

criterion_group!(datapath, benches);
criterion_main!(datapath);
