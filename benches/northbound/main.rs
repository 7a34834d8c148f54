//! Cost of a large northbound DB for a host: `cargo bench --bench northbound [-- PARENTS]` (default: 1000
//! parents with 100 subports each). Starts servers on loopback, and prints the table of `docs/northbound.md`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench prints, and ends when it cannot go on"
)]

use std::time::{Duration, Instant};

use allocation_counter::measure;
use futures::FutureExt;
use trunkpath::control::{Follower, NbEvent, Reconciler};
use trunkpath::nb::{self, Change, ChangeSet, Revision, Snapshot};
use trunkpath::packet::{ETHERTYPE_DOT1Q, Tag};
use trunkpath::tables::TagMeaning;
use trunkpath::types::{Pcp, Tci, VlanId};

use testkit::large::{self, LargeScenario, PARENTS_PER_HOST, SUBPORTS, write};
use testkit::simulated::{self, Simulated};
use testkit::stores::{Kind, Server, Writer};

/// Number of single changes that are timed.
const SINGLES: u32 = 500;
/// Number of changes in a burst.
const BURST: u32 = 10_000;

fn main() {
    let parents = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    curve(&runtime);
    for kind in [Kind::Etcd, Kind::Redis] {
        runtime.block_on(store(kind, LargeScenario { parents }));
    }
}

/// A reconciler with a link for each of the first parents; in `host-local` all parents but the first few are
/// on other hosts.
fn reconciler(links: u32, scenario: LargeScenario) -> Reconciler<Simulated> {
    let links = (0..links.min(scenario.parents))
        .map(|parent| simulated::link(parent + 1, &large::port_id(parent, 0)));
    simulated::reconciler(&large::host(0), links)
}

/// The records with every parent bound to one host.
fn all_here(records: &mut Snapshot) {
    for record in &mut records.records {
        if record.json.get("binding").is_some() {
            record.json["binding"]["chassis"] = large::host(0).into();
        }
    }
}

/// Cost of one change in the control thread, without the DB, by the number of segmentations.
fn curve(runtime: &tokio::runtime::Runtime) {
    println!("one subport's VID changed to tables published, no DB, all parents here:");
    for parents in [1, 10, 100, 1000] {
        let scenario = LargeScenario { parents };
        let mut snapshot = Snapshot { revision: Revision(1), records: scenario.records().collect() };
        all_here(&mut snapshot);
        let mut reconciler = reconciler(parents, scenario);
        let memory = measure(|| {
            reconciler.apply_snapshot(&snapshot);
            runtime.block_on(reconciler.reconcile()).unwrap();
            drop(reconciler.take_reported());
        });
        let mut times = Vec::new();
        for change in 0..SINGLES {
            let record = large::segmentation(0, 1, 1000 + change % 2);
            let set = ChangeSet { revision: Revision(2), changes: vec![Change::Put(record)] };
            let start = Instant::now();
            reconciler.apply_changes(&set);
            runtime.block_on(reconciler.reconcile()).unwrap();
            times.push(start.elapsed());
        }
        let segmentations = parents * SUBPORTS;
        let bytes = memory.bytes_current / i64::from(segmentations);
        println!("  {segmentations:>6} segmentations: {}, {bytes} bytes a segmentation", percentiles(times));
    }
}

async fn store(kind: Kind, scenario: LargeScenario) {
    let (server, mut writer) = Server::start(kind).await;
    let records: Vec<_> = scenario.records().map(|record| write(&record)).collect();
    let start = Instant::now();
    writer.write(&records).await;
    println!("{}: {} records loaded in {:.1} s", kind.name(), records.len(), start.elapsed().as_secs_f64());
    for what in ["host-local", "all here"] {
        let mut following = FollowingReconciler::new(&server.url(), what, scenario).await;
        following.cold(what).await;
        following.singles(&mut writer).await;
        following.burst(&writer).await;
    }
}

/// A reconciler with a follower of the DB.
struct FollowingReconciler {
    follower: Follower,
    reconciler: Reconciler<Simulated>,
    all_here: bool,
}

impl FollowingReconciler {
    async fn new(url: &str, what: &str, scenario: LargeScenario) -> Self {
        let all_here = what == "all here";
        let links = if all_here { scenario.parents } else { PARENTS_PER_HOST };
        let follower = Follower::new(nb::open(url).await.unwrap());
        Self { follower, reconciler: reconciler(links, scenario), all_here }
    }

    /// Applies an event. Returns it, because the daemon moves it to another thread.
    fn apply(&mut self, mut event: NbEvent) -> NbEvent {
        match &mut event {
            NbEvent::Snapshot(snapshot) => {
                if self.all_here {
                    all_here(snapshot);
                }
                self.reconciler.apply_snapshot(snapshot);
            }
            NbEvent::Changes(changes) => self.reconciler.apply_changes(changes),
            NbEvent::Unreachable(error) => panic!("{error}"),
        }
        event
    }

    async fn reconcile(&mut self) {
        self.reconciler.reconcile().await.unwrap();
        drop(self.reconciler.take_reported());
    }

    /// Waits for an event, applies all that have arrived, and reconciles.
    async fn round(&mut self) {
        let mut event = Some(self.follower.next().await);
        while let Some(some) = event {
            drop(self.apply(some));
            event = self.follower.next().now_or_never();
        }
        self.reconcile().await;
    }

    async fn cold(&mut self, what: &str) {
        let start = Instant::now();
        let event = self.follower.next().await;
        let read = start.elapsed().as_secs_f64();
        let applied = self.apply(event);
        let taken = start.elapsed().as_secs_f64() - read;
        self.reconcile().await;
        let ports = self.reconciler.compiler().reports().count();
        println!(
            "  {what}: {ports} ports compiled; from nothing to tables published: {:.2} s (read {read:.2}, taken {taken:.2})",
            start.elapsed().as_secs_f64()
        );
        drop(applied);
    }

    /// Times single changes from the write of another program to the tables.
    async fn singles(&mut self, writer: &mut Writer) {
        let mut times = Vec::new();
        for change in 0..SINGLES {
            let vid = 1000 + change;
            writer.write(&[write(&large::segmentation(0, 1, vid))]).await;
            let start = Instant::now();
            while !self.has(vid) {
                self.round().await;
            }
            times.push(start.elapsed());
        }
        println!("  one change, commit to tables published: {}", percentiles(times));
    }

    async fn burst(&mut self, writer: &Writer) {
        let mut writer = writer.clone();
        let count = BURST / SUBPORTS;
        let records: Vec<_> = (0..count)
            .flat_map(|change| {
                (1..=SUBPORTS).map(move |index| {
                    large::segmentation(change % PARENTS_PER_HOST, index, 2000 + (index + change) % SUBPORTS)
                })
            })
            .chain([large::segmentation(0, 1, 1)])
            .map(|record| write(&record))
            .collect();
        let start = Instant::now();
        let writing = tokio::spawn(async move { writer.write(&records).await });
        let mut rounds = 0;
        while !self.has(1) {
            self.round().await;
            rounds += 1;
        }
        writing.await.unwrap();
        println!(
            "  {BURST} changes at once, all published after {:.2} s, in {rounds} rounds",
            start.elapsed().as_secs_f64()
        );
    }

    /// Whether the published tables have that VID on the first parent.
    fn has(&self, vid: u32) -> bool {
        let vid = VlanId::new(vid as u16).unwrap();
        let tables = self.reconciler.tables();
        let table = tables
            .links()
            .next()
            .and_then(|link| link.ports().next())
            .and_then(|port| port.subports.as_deref());
        let tag = Tag { tpid: ETHERTYPE_DOT1Q, tci: Tci::new(vid, Pcp::default()) };
        table.is_some_and(|table| matches!(table.get(tag), TagMeaning::Subport(_)))
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    format!("p50 {:.3} ms, p99 {:.3} ms", at(50), at(99))
}
