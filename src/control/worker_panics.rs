//! A daemon with two workers and a guest at each, of which one worker panics.

use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::daemon::Daemon;
use super::follow::NbEvent;
use super::links::LinkWatch;
use super::nb_session::NbSession;
use super::pinning::PreparedFolder;
use super::responder::ApiResponder;
use crate::api::{Query, Responder};
use crate::config::{OnWorkerPanic, Settings};
use crate::kernel::{clean_pins, inspect};
use crate::logging::LogLoss;
use crate::nb::{self, Op, Table};
use crate::needs::is_root;
use crate::tables::WorkerId;
use crate::types::{IfIndex, QueueId};
use crate::worker::WorkerPoolError;
use crate::xsk::{BURST_FRAMES, ChunkPool, XskSocket};

const GUESTS: [&str; 2] = ["one", "two"];

/// The number of a guest's own socket, above those of the daemon.
const FIRST_GUEST_SOCKET: u16 = 1000;

/// A daemon whose rounds the test calls, in a network and mount namespace of this thread.
struct Testbed {
    daemon: Daemon,
    guests: Vec<XskSocket>,
    folder: TempDir,
}

fn ip(arguments: &str) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &str) {
    let ended = Command::new(program).args(arguments.split(' ')).status().expect("the program");
    assert!(ended.success(), "{program} {arguments}");
}

fn address(guest: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, guest as u8 + 1]
}

fn records() -> Vec<Op> {
    let port = |guest: usize| {
        json!({"id": GUESTS[guest], "unique_key": guest + 1, "lswitch": "n", "topic": "t", "name": GUESTS[guest],
            "macs": [format!("02:00:00:00:00:{:02x}", guest + 1)], "enabled": true,
            "binding": {"type": "chassis", "chassis": "here"}})
    };
    let create = |table: Table, json: Value| Op::Create { table, json };
    vec![
        create(Table::Lswitch, json!({"id": "n", "unique_key": 1, "topic": "t", "name": "n"})),
        create(Table::Lport, port(0)),
        create(Table::Lport, port(1)),
    ]
}

fn ifindex(link: &str) -> IfIndex {
    inspect::ifindex_of(link).expect("a link")
}

impl Testbed {
    async fn start(on_worker_panic: OnWorkerPanic) -> Self {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("namespaces");
        run("mount", "--make-rprivate /");
        ip("link set lo up");
        for guest in GUESTS {
            ip(&format!("link add {guest} type veth peer name {guest}-guest"));
            for end in [guest, &format!("{guest}-guest")] {
                // Without IPv6 on it the kernel sends nothing of its own.
                ip(&format!("link set {end} addrgenmode none"));
                ip(&format!("link set {end} up"));
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let settings = Settings {
            nb: Some(format!("sqlite:{}", path("nb.db").display())),
            chassis: Some("here".to_owned()),
            attach: GUESTS.map(|guest| (guest.to_owned(), guest.to_owned())).into(),
            state: Some(path("state.db")),
            pin_folder: Some(path("pins")),
            on_worker_panic: Some(on_worker_panic),
            umem_mib: Some(32),
            ..Settings::default()
        };
        let mut config = settings.check().expect("settings");
        config.workers = vec![config.workers[0]; 2];

        nb::open(&config.nb).await.expect("the NB DB").transact(records()).await.expect("records");
        let pins = PreparedFolder::new(&config);
        let session = NbSession::open(&config).await.expect("the NB DB");
        let (links, _) = LinkWatch::open().await.expect("links");
        let snapshot = session.0.db().snapshot().await.expect("records");
        let mut daemon =
            Daemon::start(config, links, session, pins, LogLoss::default()).await.expect("a daemon");
        daemon.apply_nb_event(NbEvent::Snapshot(snapshot));
        let arena = daemon.reconciler.backend.arena;
        let guests = GUESTS.iter().zip(FIRST_GUEST_SOCKET..).map(|(guest, id)| {
            XskSocket::open(arena, id, &format!("{guest}-guest"), QueueId(0)).expect("a guest's socket")
        });
        let mut testbed = Self { guests: guests.collect(), daemon, folder };
        testbed.settle().await;
        testbed
    }

    /// Reconciles until all ports are open. The kernel releases the sockets of a dead worker after some time.
    async fn settle(&mut self) {
        while self.daemon.reconciler.ports.len() < GUESTS.len() {
            self.daemon.reconcile().await.expect("a round");
            tokio::task::yield_now().await;
        }
    }

    /// The worker that owns the link of a guest.
    fn worker_of(&self, guest: usize) -> WorkerId {
        self.daemon.reconciler.ports.get(ifindex(GUESTS[guest])).unwrap().queues[0]
    }

    /// Sends a burst from one guest to the other.
    fn send(&mut self, from: usize) {
        let arena = self.daemon.reconciler.backend.arena;
        let mut bytes = [address(1 - from), address(from), [0x88, 0xb5, 0, 0, 0, 0]].concat();
        bytes.resize(64, 0x5a);
        let frame = || {
            let mut frame = arena.take().expect("a frame");
            assert!(frame.set_bytes(&bytes));
            frame
        };
        let mut burst: Vec<_> = (0..BURST_FRAMES).map(|_| frame()).collect();
        assert_eq!(self.guests[from].transmit(&mut burst), BURST_FRAMES);
        assert_eq!(self.guests[from].kick(), 0, "a veth takes them at once");
        self.guests[from].complete(&mut ChunkPool::new(arena));
    }

    /// Frames that were sent to a guest so far.
    fn sent_to(&self, guest: usize) -> u64 {
        let mut totals = self.daemon.reconciler.compiler.counters().totals();
        totals.find(|(lport, _)| *lport == GUESTS[guest]).expect("its port").1.sent_frames
    }

    /// Asserts that a burst each way is forwarded.
    fn assert_served(&mut self) {
        for from in 0..GUESTS.len() {
            let before = self.sent_to(1 - from);
            self.send(from);
            while self.sent_to(1 - from) < before + BURST_FRAMES as u64 {
                assert_eq!(self.daemon.reconciler.backend.workers.dead(), [0; 0]);
                std::thread::yield_now();
            }
        }
    }

    /// Frames that the program of a guest's link dropped since it was attached.
    fn dropped(&self, guest: usize) -> u64 {
        let port = self.daemon.reconciler.ports.get(ifindex(GUESTS[guest])).expect("an open link");
        port.handle.program.counters().read().expect("counters").dropped
    }

    /// The program on a guest's link.
    fn program_on(guest: usize) -> Option<u32> {
        inspect::xdp(ifindex(GUESTS[guest])).expect("a link").attached.map(|attached| attached.program_id)
    }
}

fn unmount(folder: &Path) {
    run("umount", &format!("--lazy {}", folder.join("pins").display()));
}

fn in_testbed<F: Future<Output = ()>>(
    test: &str,
    on_worker_panic: OnWorkerPanic,
    body: impl FnOnce(Testbed) -> F,
) {
    if is_root(test) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { body(Testbed::start(on_worker_panic).await).await });
    }
}

#[test]
fn a_worker_that_panics_is_started_again_and_costs_others_nothing() {
    let test = "a_worker_that_panics_is_started_again_and_costs_others_nothing";
    in_testbed(test, OnWorkerPanic::Restart, |mut testbed| async move {
        testbed.assert_served();
        let (dies, lives) = (testbed.worker_of(0), testbed.worker_of(1));
        assert_ne!(dies, lives);
        let program_of_other = Testbed::program_on(1);
        for panics in 1..=3 {
            testbed.daemon.reconciler.backend.workers.kill(dies);
            testbed.send(0);
            assert_eq!(testbed.dropped(0), BURST_FRAMES as u64, "no socket, and the policy is to drop");
            assert!(testbed.daemon.restart_workers().await.expect("a new worker"));
            assert!(Testbed::program_on(0).is_some(), "its frames never meet an empty link");
            testbed.settle().await;
            testbed.assert_served();
            assert_eq!(Testbed::program_on(1), program_of_other);
            let problems: Vec<_> = testbed.daemon.panic_problems().collect();
            assert_eq!(problems[0].about, format!("worker {dies}"));
            assert!(problems[0].reason.contains(&format!("{panics} times")), "{problems:?}");
        }
        assert!(!testbed.daemon.restart_workers().await.expect("no change"));

        let Testbed { daemon, guests, folder } = testbed;
        let arena = daemon.reconciler.backend.arena;
        daemon.stop().await;
        XskSocket::close_all(guests);
        let census = arena.census();
        assert_eq!((census.free, census.held), (arena.chunk_count(), 0), "every chunk is free: {census:?}");
        assert_eq!([Testbed::program_on(0), Testbed::program_on(1)], [None; 2]);
        assert!(!folder.path().join("pins").exists(), "a clean end leaves neither the mount nor its folder");
    });
}

#[test]
fn counters_and_workers_are_read_without_the_control_thread() {
    let test = "counters_and_workers_are_read_without_the_control_thread";
    in_testbed(test, OnWorkerPanic::Restart, |mut testbed| async move {
        testbed.assert_served();
        // No thread receives the calls.
        let (calls, _never) = mpsc::channel(1);
        let responder = ApiResponder { views: testbed.daemon.live_views(), calls };
        let view = async |query| responder.respond(query).await.expect("an answer").outcome.expect("a view");
        let stats = view(Query::Stats).await;
        assert_eq!(stats["chunks"]["sum"], stats["chunks"]["total"]);
        for (guest, name) in GUESTS.iter().enumerate() {
            assert_eq!(stats["ports"][guest]["lport"], *name);
            assert!(stats["ports"][guest]["sent_frames"].as_u64() >= Some(BURST_FRAMES as u64), "{stats}");
            assert_eq!(stats["links"][guest]["link"], *name);
            assert_eq!(stats["links"][guest]["sockets"][0]["queue"], 0);
        }
        let workers = view(Query::Workers).await;
        for (guest, name) in GUESTS.iter().enumerate() {
            let queues = &workers[testbed.worker_of(guest)]["queues"];
            assert!(queues.as_array().unwrap().contains(&json!(format!("{name}/0"))), "{workers}");
        }
    });
}

#[test]
fn a_worker_that_panics_ends_the_daemon_if_it_is_to_and_its_programs_drop_on() {
    let test = "a_worker_that_panics_ends_the_daemon_if_it_is_to_and_its_programs_drop_on";
    in_testbed(test, OnWorkerPanic::Exit, |mut testbed| async move {
        testbed.assert_served();
        let dies = testbed.worker_of(0);
        testbed.daemon.reconciler.backend.workers.kill(dies);
        let ended = testbed.daemon.restart_workers().await;
        assert!(matches!(ended, Err(WorkerPoolError::Died { worker }) if worker == dies), "{ended:?}");

        // As the process does then.
        let Testbed { daemon, guests, folder } = testbed;
        drop(daemon);
        assert!(Testbed::program_on(0).is_some() && Testbed::program_on(1).is_some());
        let cleaned = clean_pins(&folder.path().join("pins")).expect("pins");
        assert_eq!(cleaned.len(), GUESTS.len());
        assert!(cleaned.iter().all(|pin| pin.outcome.is_ok()), "{cleaned:?}");
        assert_eq!([Testbed::program_on(0), Testbed::program_on(1)], [None; 2]);
        XskSocket::close_all(guests);
        unmount(folder.path());
    });
}
