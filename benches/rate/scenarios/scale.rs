//! Ports and VIDs with little or no traffic.

use anyhow::Result;
use nix::unistd::Pid;

use super::{FULL_LOAD, Notes};
use crate::job::{Job, MANY_VIDS};
use crate::measure::{Sample, measure};
use crate::peers::{Context, Peer as _, Setup, Trunkpath};
use crate::report::{median, ratio};

const PORTS: [usize; 4] = [2, 16, 128, 500];
const ROUNDS: usize = 5;
const JOBS: [Job; 2] = [Job::UP, Job::DOWN];

pub fn run(context: &Context, notes: &mut Notes<'_>) -> Result<()> {
    let start = |ports| {
        let trunkpath = Trunkpath::start(context, &Setup { ports, ..Setup::new(context) })?;
        trunkpath.pause();
        anyhow::Ok(trunkpath)
    };
    let daemons = PORTS.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    for job in JOBS {
        let mut samples = vec![Vec::new(); PORTS.len()];
        let mut many = Vec::new();
        for _ in 0..ROUNDS {
            for (daemon, samples) in daemons.iter().zip(&mut samples) {
                samples.push(Some(measure(context, daemon, job, FULL_LOAD)?));
            }
            many.push(Some(measure(context, &daemons[0], Job { vids: MANY_VIDS, ..job }, FULL_LOAD)?));
        }
        for (ports, of) in PORTS.iter().zip(&samples) {
            notes.add(format!("{job}, {ports} ports"), mpps(of), "Mpps");
            if let (Some(ratio), true) = (ratio(of, &samples[0]), *ports > PORTS[0]) {
                notes.add(format!("{job}, {ports} ports by {}", PORTS[0]), ratio, "");
            }
        }
        notes.add(format!("{job}, {MANY_VIDS} VIDs"), mpps(&many), "Mpps");
        if let Some(ratio) = ratio(&many, &samples[0]) {
            notes.add(format!("{job}, {MANY_VIDS} VIDs by 1"), ratio, "");
        }
    }
    for (ports, daemon) in PORTS.iter().zip(&daemons) {
        notes.add(format!("memory with {ports} ports (RSS)"), resident_mib(daemon.daemon.pid()), "MiB");
    }
    Ok(())
}

fn mpps(samples: &[Option<Sample>]) -> f64 {
    median(samples.iter().flatten().map(|sample| sample.rate / 1e6).collect())
}

/// Resident memory (`VmRSS`) in MiB.
fn resident_mib(process: Pid) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN);
    (kib / 1024.0).round()
}
