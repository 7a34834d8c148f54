//! Resources that a daemon holds, for a comparison before and after a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use libbpf_rs::query::{MapInfoIter, ProgInfoIter};
use nix::unistd::Pid;

use crate::daemon::Daemon;
use crate::wait::until;

/// Names of the XDP program of bpf/steer.bpf.c and of its maps in the kernel.
const PROGRAM: &str = "steer";
const MAPS: [&str; 3] = ["sockets", "counters", "steer_bp.rodata"];

/// Resident bytes allowed beyond the count after a warm-up: memory that depends on the load, or that the
/// allocator keeps. A thousand operations that leak one page each reach it.
const RESIDENT_MORE: u64 = 4 << 20;

/// Equal counts in a row that are taken as the result.
const SAME: usize = 5;

/// Counts of what can be leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Open file descriptors by kind: sockets, BPF maps, programs and links, event counters.
    descriptors: BTreeMap<String, usize>,
    /// AF_XDP sockets in its namespace, including closed ones that the kernel still holds.
    af_xdp_sockets: u64,
    /// BPF objects with the names above that no process has a descriptor of: leaked into the kernel.
    orphans: BTreeSet<String>,
}

/// Resources and memory of a daemon at a moment without operations in progress.
#[derive(Debug)]
pub struct Held {
    resources: Resources,
    resident: u64,
}

impl Held {
    /// Waits until `daemon` has no operation in progress, and counts.
    pub fn by(daemon: &Daemon) -> Self {
        until("all frames of the UMEM to be free, or with the kernel to receive into", || {
            let frames = &daemon.stats()["chunks"];
            let count = |place: &str| frames[place].as_u64();
            (count("total")? > 0 && count("pool")? + count("fill")? == count("total")?).then_some(())
        });
        // The daemon closes the connection of the last command a moment later.
        let mut counts = vec![];
        let resources = until("what the daemon holds to stay the same", || {
            counts.push(Resources::of(daemon.pid()));
            let last = counts.rchunks(SAME).next()?;
            (last.len() == SAME && last.iter().all(|count| *count == last[0])).then(|| last[0].clone())
        });
        Self { resources, resident: resident(daemon.pid()) }
    }

    /// Asserts that this later count does not exceed `before`.
    pub fn assert_no_more_than(&self, before: &Self) {
        assert_eq!(self.resources, before.resources, "what the daemon holds now, and held before");
        assert!(
            self.resident < before.resident + RESIDENT_MORE,
            "{} bytes are resident, and {} were before",
            self.resident,
            before.resident
        );
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resources { descriptors, af_xdp_sockets, orphans } = &self.resources;
        let count = |kind| descriptors.get(kind).copied().unwrap_or_default();
        write!(
            f,
            "{} file descriptors, {} BPF links and {} maps among them, {} BPF objects without a holder, \
             {af_xdp_sockets} AF_XDP sockets, {} KiB resident",
            descriptors.values().sum::<usize>(),
            count("anon_inode:bpf_link"),
            count("anon_inode:bpf-map"),
            orphans.len(),
            self.resident >> 10
        )
    }
}

impl Resources {
    fn of(daemon: Pid) -> Self {
        let mut descriptors = BTreeMap::new();
        for descriptor in fs::read_dir(format!("/proc/{daemon}/fd")).unwrap().flatten() {
            // A descriptor may have been closed meanwhile.
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let target = target.to_string_lossy().into_owned();
            let kind = target.split_once(":[").map_or(target.as_str(), |(kind, _inode)| kind);
            *descriptors.entry(kind.to_owned()).or_default() += 1;
        }
        Self { descriptors, af_xdp_sockets: af_xdp_sockets(daemon), orphans: orphans() }
    }
}

fn resident(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the memory of a process");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Sockets of the protocol XDP in the network namespace of a process.
fn af_xdp_sockets(process: Pid) -> u64 {
    let protocols = fs::read_to_string(format!("/proc/{process}/net/protocols")).unwrap();
    let line = protocols.lines().find(|line| line.starts_with("XDP ")).expect("a kernel with AF_XDP");
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// Ids of programs and maps with the names above of which no process has a descriptor.
fn orphans() -> BTreeSet<String> {
    let programs = ProgInfoIter::default()
        .filter(|program| program.name.to_bytes() == PROGRAM.as_bytes())
        .map(|program| format!("prog_id:\t{}", program.id));
    let maps = MapInfoIter::default()
        .filter(|map| MAPS.iter().any(|name| map.name.to_bytes() == name.as_bytes()))
        .map(|map| format!("map_id:\t{}", map.id));
    let mut orphans: BTreeSet<_> = programs.chain(maps).collect();
    // A process may end meanwhile.
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let infos =
        processes.flat_map(|process| fs::read_dir(process.path().join("fdinfo")).into_iter().flatten());
    for info in infos.flatten().filter_map(|info| fs::read_to_string(info.path()).ok()) {
        for held in info.lines() {
            orphans.remove(held);
        }
    }
    orphans
}
