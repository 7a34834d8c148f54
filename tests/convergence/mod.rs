//! After any sequence of events the tables equal those of a fresh read of the DB with the same incumbents.
//!
//! Thousands of random changes, link events, changes of paths to hosts, and failures, on every kind of store.
//! `TRUNKPATH_SEED` repeats a failed run; `TRUNKPATH_STEPS` sets the number of steps.

mod backend;
mod following;
mod groups;
mod growth;
mod hosts;
mod moves;
mod newcomers;
mod routes;
mod step;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use backend::Backend;
use following::FollowingReconciler;
use step::{Step, step};
use testkit::stores::Kind;

const STEPS: usize = 5_000;
/// Steps between two points at which everything must settle.
const QUIET: usize = 100;
/// Quiet points between two failures of the store, so that each kind of failure occurs several times.
const BREAK: usize = 4;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// A source of steps, and the seed that repeats it.
fn runner() -> (TestRunner, u64) {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = setting("TRUNKPATH_SEED").unwrap_or(clock.as_micros() as u64);
    let bytes: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(32).collect();
    (TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)), seed)
}

fn converges(start: impl AsyncFnOnce() -> Backend) {
    let (mut runner, seed) = runner();
    let mut draw = || step().new_tree(&mut runner).unwrap().current();
    let steps = setting("TRUNKPATH_STEPS").map_or(STEPS, |steps| steps as usize);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut backend = start().await;
        let mut following = FollowingReconciler::new(backend.open().await);
        let (mut eventful, mut reaching) = (0, 0);
        for number in 1..=steps {
            match draw() {
                Step::Write(writes) => backend.write(&writes).await,
                Step::Link(event) => following.apply_link_event(event),
                Step::Paths(address, paths) => following.apply_paths(address, paths),
            }
            following.round().await;
            eventful += usize::from(following.subports_up() > 0);
            reaching += usize::from(following.hosts_reached() > 0);
            if number.is_multiple_of(QUIET) {
                if number.is_multiple_of(QUIET * BREAK) {
                    backend.disturb(number / QUIET / BREAK).await;
                }
                let differences = following.settle(&*backend.open().await).await;
                assert!(differences.is_empty(), "TRUNKPATH_SEED={seed}, step {number}: {differences:#?}");
            }
            if number.is_multiple_of(QUIET * 25) {
                following.restart(backend.open().await);
            }
        }
        eprintln!(
            "of {steps} steps, subports forwarded after {eventful}, hosts were reached after {reaching}"
        );
        assert!(
            eventful.min(reaching) > steps / 100,
            "TRUNKPATH_SEED={seed}: hardly anything ever forwarded"
        );
    });
}

#[test]
fn on_sqlite_any_order_of_changes_link_events_and_breaks_converges() {
    converges(async || Backend::sqlite().await);
}

#[test]
fn on_etcd_any_order_of_changes_link_events_and_breaks_converges() {
    converges(async || Backend::served(Kind::Etcd).await);
}

#[test]
fn on_redis_any_order_of_changes_link_events_and_breaks_converges() {
    converges(async || Backend::served(Kind::Redis).await);
}
