//! Latency of a commit that becomes visible long after the write that inotify reports.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use trunkpath::nb::{self, Revision};

use super::watch::next;
use super::{DbFolder, succeeded};

const CHANGES: u64 = 12;
/// Half of the longest poll interval of a follower without events.
const MISSED: Duration = Duration::from_millis(500);

/// Compiles `slow_sync.c` into the folder of the DB.
fn slow_sync(folder: &DbFolder) -> PathBuf {
    let library = folder.dir.path().join("slow_sync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nb/slow_sync.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).output();
    succeeded(&compiled.expect("cc: run `scripts/setup test`"));
    library
}

/// Follows changes, each by a process that `prepare` was applied to. Returns the times from the end of the
/// process to the delivery, sorted.
async fn latencies(folder: &DbFolder, prepare: impl Fn(&mut Command)) -> Vec<Duration> {
    folder.nb(&["init"]);
    let db = nb::open(&folder.url()).await.unwrap();
    let mut changes = db.watch(Revision(0));
    let mut latencies = Vec::new();
    for number in 1..=CHANGES {
        let json = format!(r#"{{"id": "{number}", "topic": "t", "lswitch": "n"}}"#);
        let mut command = folder.command(&["put", "lport", &json]);
        prepare(&mut command);
        let writer = tokio::task::spawn_blocking(move || (command.output().unwrap(), Instant::now()));
        assert_eq!(next(&mut changes).await.unwrap().revision, Revision(number));
        let seen = Instant::now();
        let (output, committed) = writer.await.unwrap();
        succeeded(&output);
        latencies.push(seen.saturating_duration_since(committed));
    }
    latencies.sort_unstable();
    eprintln!("seen after the writer's end: {latencies:?}");
    latencies
}

/// Asserts that most changes arrived faster than the longest poll interval.
fn assert_followed(latencies: &[Duration]) {
    let late = latencies.iter().filter(|latency| **latency > MISSED).count();
    assert!(late <= latencies.len() / 4, "{late} of {latencies:?}");
}

#[tokio::test]
async fn a_commit_on_a_disk_with_a_slow_fsync_arrives_before_the_longest_pause() {
    let folder = DbFolder::new();
    let library = slow_sync(&folder);
    let preload = |command: &mut Command| {
        command.env("LD_PRELOAD", &library);
    };
    assert_followed(&latencies(&folder, preload).await);
}

#[tokio::test]
async fn a_commit_on_a_busy_machine_arrives_before_the_longest_pause() {
    let stop = Arc::new(AtomicBool::new(false));
    let cpus = thread::available_parallelism().unwrap().get();
    let spinning = |_| {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
    };
    let threads: Vec<_> = (0..2 * cpus).map(spinning).collect();
    let latencies = latencies(&DbFolder::new(), |_| {}).await;
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_followed(&latencies);
}
