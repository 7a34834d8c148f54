//! Threads of processes: names, CPUs, and CPU time.

use std::fs::{self, File};

use anyhow::{Context as _, Result};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, setns};
use nix::unistd::Pid;

/// Moves the calling thread into a network namespace.
pub fn enter(netns: &str) -> Result<()> {
    let netns = File::open(format!("/run/netns/{netns}"))?;
    Ok(setns(netns, CloneFlags::CLONE_NEWNET)?)
}

/// Pins a thread to `cpu`; 0 is the calling one.
pub fn pin(thread: Pid, cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(thread, &cpus).with_context(|| format!("pinning thread {thread} to CPU {cpu}"))
}

/// Threads of a process whose name begins with `prefix`.
pub fn named(process: Pid, prefix: &str) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let is_it = |path: &std::path::Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with(prefix))
    };
    tasks
        .filter(|task| is_it(&task.path()))
        .filter_map(|task| Some(Pid::from_raw(task.file_name().to_str()?.parse().ok()?)))
        .collect()
}

/// Processes, including kernel threads, whose name begins with `prefix`.
pub fn processes(prefix: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(prefix))
    })
    .map(Pid::from_raw)
    .collect()
}

/// CPU time of these threads in nanoseconds.
pub fn on_cpu_ns(threads: &[Pid]) -> u64 {
    let ran = |thread: &Pid| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{thread}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    threads.iter().filter_map(ran).sum()
}
