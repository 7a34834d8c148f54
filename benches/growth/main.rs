//! Cost of one change and of a list of all problems, with N records that claim the same or form a chain: N =
//! 1000, 2000 and 4000. Cost of a start, of a change of one port and of one link event with 100, 1,000 and
//! 10,000 ports that have nothing in common. Cost of another address of one of 1,000 other hosts with 10,000
//! ports, and of a move of one of these ports. Cost of another address of one of 100, 1,000 and 10,000 members of
//! a security group. `cargo bench --bench growth`.
#![allow(clippy::unwrap_used, reason = "a bench ends when it cannot go on")]

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use testkit::many_hosts::ManyHosts;
use testkit::many_members::ManyMembers;
use testkit::many_ports;
use testkit::shapes::{self, Shape};

const COUNTS: [u32; 3] = [1000, 2000, 4000];
const PORT_COUNTS: [u32; 3] = [100, 1000, 10_000];

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

fn ports(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("ports");
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(500));
    for count in PORT_COUNTS {
        group.bench_with_input(BenchmarkId::new("start", count), &count, |bencher, _| {
            bencher.iter_batched(
                || many_ports::unstarted(count),
                |mut reconciler| many_ports::reconcile(&mut reconciler, &runtime),
                BatchSize::PerIteration,
            );
        });
        let mut reconciler = many_ports::unstarted(count);
        many_ports::reconcile(&mut reconciler, &runtime);
        group.bench_with_input(BenchmarkId::new("port and back", count), &count, |bencher, _| {
            bencher.iter(|| many_ports::change_port(&mut reconciler, count, &runtime));
        });
        group.bench_with_input(BenchmarkId::new("link and back", count), &count, |bencher, _| {
            bencher.iter(|| many_ports::change_link(&mut reconciler, count, &runtime));
        });
    }
}

fn hosts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("hosts");
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(500));
    let mut here = ManyHosts::new(10_000, 1000, &runtime);
    group.bench_function("address and back", |bencher| bencher.iter(|| here.change_address(&runtime)));
    group.bench_function("port and back", |bencher| bencher.iter(|| here.move_port(&runtime)));
}

fn members(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("members");
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(500));
    for count in PORT_COUNTS {
        let mut here = ManyMembers::new(count, &runtime);
        group.bench_with_input(BenchmarkId::new("address and back", count), &count, |bencher, _| {
            bencher.iter(|| here.change_member(&runtime));
        });
    }
}

criterion_group!(benches, growth, ports, hosts, members);
criterion_main!(benches);
