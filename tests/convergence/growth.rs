//! Cost of one change with many records. With records that claim the same or form a chain it grows at most in
//! proportion to their number; with ports that have nothing in common it does not grow. Counts allocations,
//! not time.

use allocation_counter::measure;
use tokio::runtime::Builder;
use trunkpath::nb::Northbound;
use trunkpath::types::Incumbents;

use testkit::many_hosts::{self, ManyHosts};
use testkit::many_ports;
use testkit::shapes::{Shape, follow};

const FEW: u32 = 100;
const MANY: u32 = 4 * FEW;

/// Allocations of a change and its reversal, and of a list of all problems.
fn work(shape: Shape, count: u32) -> (u64, u64) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut reconciler = shape.reconciler(count, &runtime);
    let to_and_fro = || [shape.changed_record(count), shape.last_record(count)];
    // Warm-up: memory that is allocated once is not counted.
    follow(&mut reconciler, to_and_fro(), &runtime);
    let (records, mut rebuilt) = (to_and_fro(), 0);
    let change = measure(|| rebuilt = follow(&mut reconciler, records, &runtime)).count_total;
    assert!(rebuilt <= 12, "{shape:?} of {count}: {rebuilt} ports were built again");
    (change, measure(|| drop(reconciler.problems())).count_total)
}

#[test]
fn a_change_and_a_list_of_problems_cost_no_more_than_linear_work() {
    for shape in Shape::ALL {
        let (few, many) = (work(shape, FEW), work(shape, MANY));
        println!("{shape:?}: a change {} -> {}, problems {} -> {}", few.0, many.0, few.1, many.1);
        assert!(many.0 <= 5 * few.0 + 100, "{shape:?}: {} allocations became {}", few.0, many.0);
        assert!(many.1 <= 5 * few.1 + 100, "{shape:?}: {} allocations became {}", few.1, many.1);
    }
}

#[test]
fn a_thousand_records_that_claim_the_same_are_read_and_changed() {
    for shape in Shape::ALL {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let mut reconciler = shape.reconciler(1000, &runtime);
        let problems = reconciler.problems().len();
        follow(&mut reconciler, [shape.changed_record(1000), shape.last_record(1000)], &runtime);
        assert_eq!(reconciler.problems().len(), problems, "{shape:?}");
    }
}

/// Allocations of a start, of a change of one port and of one link event.
fn work_of_many(count: u32) -> [u64; 3] {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut reconciler = many_ports::unstarted(count);
    let start = measure(|| assert_eq!(many_ports::reconcile(&mut reconciler, &runtime), count as usize));
    many_ports::change_port(&mut reconciler, count, &runtime);
    let port = measure(|| many_ports::change_port(&mut reconciler, count, &runtime));
    let link = measure(|| many_ports::change_link(&mut reconciler, count, &runtime));
    [start, port, link].map(|work| work.count_total)
}

#[test]
fn one_of_many_ports_costs_the_same_however_many_there_are() {
    let [few, many] = [FEW, 10 * FEW].map(work_of_many);
    println!("start, change of a port, link event: {few:?} -> {many:?}");
    assert!(many[0] <= 12 * few[0], "a start: {} allocations became {}", few[0], many[0]);
    for (few, many) in few.iter().zip(many).skip(1) {
        assert!(many <= few + few / 4, "a change: {few} allocations became {many}");
    }
}

/// Allocations of a change of a host's address and of a move of a port, both to and fro.
fn work_of_hosts(hosts: u32) -> [u64; 2] {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut here = ManyHosts::new(10 * hosts, hosts, &runtime);
    here.change_address(&runtime);
    here.move_port(&runtime);
    let address = measure(|| here.change_address(&runtime));
    let port = measure(|| here.move_port(&runtime));
    [address, port].map(|work| work.count_total)
}

/// The list of the endpoints in use is made again.
#[test]
fn a_host_and_a_port_move_by_no_more_than_linear_work() {
    let [few, many] = [FEW, 10 * FEW].map(work_of_hosts);
    println!("change of an address, move of a port: {few:?} -> {many:?}");
    for (few, many) in few.iter().zip(many) {
        assert!(many <= 12 * few, "{few} allocations became {many}");
    }
}

/// Bytes of a port of another host in the tables, in the state that they are compiled from, and in the copy
/// of the records.
#[test]
fn a_port_of_another_host_takes_less_than_200_bytes_beside_its_record() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let growth = |bytes: &mut dyn FnMut(u32) -> i64| (bytes(11_000) - bytes(1000)) / 10_000;
    let records = growth(&mut |ports| {
        let snapshot = many_hosts::snapshot(ports, FEW);
        let mut northbound = Northbound::default();
        let kept = measure(|| northbound = Northbound::from_snapshot(&snapshot, &Incumbents::default()));
        drop(northbound);
        kept.bytes_current
    });
    let all = growth(&mut |ports| {
        let mut here = None;
        let kept = measure(|| here = Some(ManyHosts::new(ports, FEW, &runtime)));
        drop(here);
        kept.bytes_current
    });
    println!("a port of another host: {records} bytes for its record, {} beside it", all - records);
    assert!(all - records <= 200, "{} bytes beside its record", all - records);
}
