//! A worker's passes over real sockets, called from the test: what they move, and that they allocate nothing.

use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;

use crossbeam::channel::unbounded;
use crossbeam::queue::ArrayQueue;
use nix::sched::{CloneFlags, unshare};
use serde_json::json;
use tokio::sync::oneshot;

use super::budget::Shares;
use super::doorbell::Doorbell;
use super::idle::Idle;
use super::outlet::{HANDOVER_FRAMES, Inbox, WorkerOutlet};
use super::pass::Worker;
use super::pool::{Command as Order, WorkerPool, WorkerPoolError};
use crate::config::{IdleMode, NoSocketPolicy};
use crate::datapath::DropReason;
use crate::kernel::{ProgramOptions, SteerLoader, SteerProgram};
use crate::nb::{Record, Revision, Snapshot, Table};
use crate::needs::is_root;
use crate::tables::{Compiler, LinkSlot, LocalLink, Policy, Publisher};
use crate::types::{IfIndex, QueueId};
use crate::xsk::{Arena, BURST_FRAMES, Frame, FramePool, TRANSMIT_RING_FRAMES, XskSocket};

const FRAMES: usize = 8 * TRANSMIT_RING_FRAMES;

/// The peer's address.
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// A parent with subport 100 on link 0, and on link 1 a port of the subport's network.
fn records() -> Snapshot {
    let port = |id: &str, key: u32, network: &str, mac: &str| {
        let json = json!({"id": id, "unique_key": key, "lswitch": network, "macs": [mac], "topic": "t"});
        Record { table: Table::Lport, id: id.to_owned(), json }
    };
    let network = |id: &str, key: u32| {
        let json = json!({"id": id, "unique_key": key, "topic": "t"});
        Record { table: Table::Lswitch, id: id.to_owned(), json }
    };
    let segmentation = json!({"id": "s", "parent": "parent", "port": "sub", "topic": "t",
        "segmentation_type": "vlan", "segmentation_id": 100});
    let records = vec![
        network("n1", 1),
        network("n2", 2),
        port("parent", 1, "n1", "02:00:00:00:00:01"),
        port("sub", 2, "n2", "02:00:00:00:00:02"),
        port("peer", 3, "n2", "02:00:00:00:00:03"),
        Record { table: Table::ChildPortSegmentation, id: "s".to_owned(), json: segmentation },
    ];
    Snapshot { revision: Revision(1), records }
}

/// Our end of a new veth in this thread's namespace, and a socket of the guest's on the other.
struct Cable {
    ifindex: IfIndex,
    guest: XskSocket,
}

fn cable(arena: &'static Arena, name: &str, id: u16) -> Cable {
    let guest = format!("{name}-guest");
    ip(&format!("link add {name} type veth peer name {guest}"));
    for end in [name, &guest] {
        // Without IPv6 on it the kernel sends nothing of its own.
        ip(&format!("link set {end} addrgenmode none"));
        ip(&format!("link set {end} up"));
    }
    let ifindex = nix::net::if_::if_nametoindex(name).expect("an index");
    let guest = XskSocket::open(arena, id, &guest, QueueId(0)).expect("the guest's socket");
    Cable { ifindex: IfIndex::new(ifindex).expect("not 0"), guest }
}

fn ip(arguments: &str) {
    assert!(Command::new("ip").args(arguments.split(' ')).status().expect("ip").success(), "ip {arguments}");
}

fn attach(arena: &'static Arena, cable: &Cable, name: &str, id: u16) -> (SteerProgram, XskSocket) {
    let options = ProgramOptions { queues: 1, no_socket: NoSocketPolicy::Drop, allow_generic: false };
    let program =
        SteerProgram::attach(&mut SteerLoader::default(), cable.ifindex, options, None).expect("the program");
    let socket = XskSocket::open(arena, id, name, QueueId(0)).expect("a socket");
    program.steer(QueueId(0), socket.as_fd()).expect("the map");
    (program, socket)
}

fn link(slot: u16, cable: &Cable, lport: &str) -> LocalLink {
    LocalLink {
        slot: LinkSlot(slot),
        ifindex: cable.ifindex,
        lport: lport.into(),
        up: true,
        queues: vec![0],
        complete_checksums: true,
        mtu: 1500,
        longest_frame: 1518,
    }
}

/// A frame of the guest's, for the network of its VLAN 100: to the peer, or to all.
fn tagged(arena: &'static Arena, destination: [u8; 6]) -> Frame {
    let mut frame = arena.take().expect("a frame");
    let mut bytes = destination.to_vec();
    bytes.extend([2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 0x88, 0xb5]);
    bytes.resize(64, 0x5a);
    assert!(frame.set_bytes(&bytes));
    frame
}

/// A worker between two guests' links, whose passes the test calls.
struct Lab {
    arena: &'static Arena,
    compiler: Compiler,
    worker: Worker,
    one: Cable,
    two: Cable,
    _programs: [SteerProgram; 2],
}

impl Lab {
    /// In a network namespace of this thread's own.
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        ip("link set lo up");
        let arena = Arena::umem(FRAMES).expect("packet memory");
        let (one, two) = (cable(arena, "one", 0), cable(arena, "two", 1));
        let (program_one, socket_one) = attach(arena, &one, "one", 2);
        let (program_two, socket_two) = attach(arena, &two, "two", 3);

        let mut compiler = Compiler::new(1, Policy::default());
        compiler.replace(&records());
        compiler.set_link(link(0, &one, "parent"));
        compiler.set_link(link(1, &two, "peer"));
        let publisher = Publisher::new(compiler.compile());
        let doorbell = Doorbell::new().expect("an eventfd");
        let idle = Idle::new(&doorbell, IdleMode::Adaptive).expect("an epoll");
        let inboxes: Arc<[Inbox]> = vec![Inbox { frames: ArrayQueue::new(HANDOVER_FRAMES), doorbell }].into();
        let outlet = WorkerOutlet::new(0, FramePool::new(arena), inboxes);
        let (_orders, mailbox) = unbounded();
        let mut worker = Worker::new(outlet, publisher.reader(), mailbox, idle);
        for order in [
            Order::Share(Shares::of(FRAMES, 1, 2)),
            Order::Attach { link: LinkSlot(0), socket: Box::new(socket_one), ready: oneshot::channel().0 },
            Order::Attach { link: LinkSlot(1), socket: Box::new(socket_two), ready: oneshot::channel().0 },
        ] {
            assert!(worker.obey(order).is_none());
        }
        worker.pass();
        Self { arena, compiler, worker, one, two, _programs: [program_one, program_two] }
    }

    /// A burst from the guest on link 0, for the network of its VLAN 100.
    fn send(&mut self, destination: [u8; 6]) {
        let mut burst: Vec<_> = (0..BURST_FRAMES).map(|_| tagged(self.arena, destination)).collect();
        assert_eq!(self.one.guest.transmit(&mut burst), BURST_FRAMES);
        assert_eq!(self.one.guest.kick(), 0, "a veth takes them at once");
        self.one.guest.complete(&mut FramePool::new(self.arena));
    }

    /// Frames sent to the peer, and those of them that its full TX ring refused.
    fn peer(&self) -> (u64, u64) {
        let totals =
            self.compiler.counters().totals().find(|(lport, _)| *lport == "peer").expect("the peer").1;
        let refused = totals.drops_by_reason().find(|(reason, _)| *reason == DropReason::TransmitRingFull);
        (totals.sent_frames, refused.map_or(0, |(_, frames)| frames))
    }

    /// Closes everything; every frame must be home then.
    fn close(mut self) {
        let sockets = self.worker.obey(Order::Stop).expect("its sockets");
        drop(self.worker);
        XskSocket::close_all(sockets.into_iter().chain([self.one.guest, self.two.guest]).collect());
        let census = self.arena.census();
        assert_eq!((census.free, census.held), (FRAMES, 0), "every frame is home: {census:?}");
    }
}

#[test]
fn a_pass_moves_bursts_and_allocates_nothing() {
    if !is_root("a_pass_moves_bursts_and_allocates_nothing") {
        return;
    }
    let mut lab = Lab::new();
    for round in 0..16 {
        lab.send(if round % 2 == 0 { PEER } else { [0xff; 6] });
        let allocations = allocation_counter::measure(|| while lab.worker.pass() {});
        assert_eq!(allocations.count_total, 0, "in round {round}");
    }
    assert_eq!(lab.peer(), ((16 * BURST_FRAMES) as u64, 0));
    lab.close();
}

/// A link that is down takes nothing from its TX ring. When it is up again, what waits there goes, and there is room.
#[test]
fn a_full_tx_ring_is_served_again() {
    if !is_root("a_full_tx_ring_is_served_again") {
        return;
    }
    let mut lab = Lab::new();
    ip("link set two down");
    let bursts = TRANSMIT_RING_FRAMES / BURST_FRAMES + 2;
    for _ in 0..bursts {
        lab.send(PEER);
        while lab.worker.pass() {}
    }
    assert_eq!(lab.peer(), (TRANSMIT_RING_FRAMES as u64, (2 * BURST_FRAMES) as u64));

    ip("link set two up");
    lab.send(PEER);
    while lab.worker.pass() {}
    lab.send(PEER);
    while lab.worker.pass() {}
    let (sent, refused) = lab.peer();
    assert_eq!(sent + refused, ((bursts + 2) * BURST_FRAMES) as u64);
    assert!(sent >= (TRANSMIT_RING_FRAMES + BURST_FRAMES) as u64, "{sent} sent, {refused} refused");
    lab.close();
}

/// Its sockets are closed then, and the XDP program meets no socket.
#[test]
fn a_worker_that_panics_is_missed_and_leaves_its_links_to_their_policy() {
    if !is_root("a_worker_that_panics_is_missed_and_leaves_its_links_to_their_policy") {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    ip("link set lo up");
    let arena = Arena::umem(FRAMES).expect("packet memory");
    let mut cable = cable(arena, "one", 0);
    let (program, socket) = attach(arena, &cable, "one", 1);
    let publisher = Publisher::new(Compiler::new(1, Policy::default()).compile());
    let cpu = rustix::thread::sched_getcpu();
    let mut pool = WorkerPool::start(&[cpu], IdleMode::Adaptive, arena, &publisher).expect("a worker");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(pool.attach(LinkSlot(0), socket)).expect("a socket that receives");
    assert_eq!(pool.dead(), [0; 0]);

    pool.kill(0);
    assert_eq!(pool.dead(), [0]);
    assert!(matches!(runtime.block_on(pool.report()), Err(WorkerPoolError::Died { worker: 0 })));
    let mut burst: Vec<_> = (0..BURST_FRAMES).map(|_| tagged(arena, PEER)).collect();
    cable.guest.transmit(&mut burst);
    cable.guest.kick();
    let counted = program.counters().expect("counters");
    assert_eq!((counted.redirected, counted.dropped), (0, BURST_FRAMES as u64));
    assert!(pool.stop().is_empty());
}
