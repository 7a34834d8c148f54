//! Cost of one change and of a list of all problems, with N records that claim the same or form a chain: N =
//! 1000, 2000 and 4000. `cargo bench --bench growth`.
#![allow(clippy::unwrap_used, reason = "a bench ends when it cannot go on")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use testkit::shapes::{self, Shape};

const COUNTS: [u32; 3] = [1000, 2000, 4000];

fn growth(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for shape in Shape::ALL {
        let mut group = criterion.benchmark_group(format!("{shape:?}"));
        group.sample_size(10).warm_up_time(Duration::from_millis(100));
        group.measurement_time(Duration::from_millis(500));
        for count in COUNTS {
            let mut reconciler = shape.reconciler(count, &runtime);
            let (before, changed) = (shape.last_record(count), shape.changed_record(count));
            group.bench_with_input(BenchmarkId::new("change and back", count), &count, |bencher, _| {
                bencher.iter(|| shapes::follow(&mut reconciler, [changed.clone(), before.clone()], &runtime));
            });
            group.bench_with_input(BenchmarkId::new("problems", count), &count, |bencher, _| {
                bencher.iter(|| reconciler.problems().len());
            });
        }
    }
}

criterion_group!(benches, growth);
criterion_main!(benches);
