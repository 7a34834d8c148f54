//! Testbed of workers between the links of two guests. The test calls each pass.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;

use crossbeam::channel::unbounded;
use nix::sched::{CloneFlags, unshare};
use serde_json::json;
use tokio::sync::oneshot;

use super::budget::Shares;
use super::command::Command as Order;
use super::idle::Idle;
use super::inbox::Inbox;
use super::outlet::WorkerOutlet;
use super::pass::Worker;
use crate::config::IdleMode;
use crate::kernel::{ProgramLoader, ProgramOptions, SteerProgram};
use crate::nb::{Change, Record, Revision, Snapshot, Table};
use crate::tables::{Compiler, LinkSlot, LocalLink, Policy, PortTotals, Publisher};
use crate::types::{DropReason, IfIndex, LinkRole, NoSocketPolicy, QueueId};
use crate::xsk::{Arena, BURST_FRAMES, ChunkPool, Frame, TRANSMIT_RING_SIZE, XskSocket};

/// Number of chunks in the arena.
pub(super) const CHUNKS: usize = 8 * TRANSMIT_RING_SIZE;

/// MAC address of port `peer`.
pub(super) const PEER: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// The switch's end of a new veth in this thread's namespace, and a socket on the guest's end.
#[derive(Debug)]
pub(super) struct Cable {
    ifindex: IfIndex,
    guest_ifindex: IfIndex,
    pub(super) guest: XskSocket,
}

/// Workers, and links 0 and 1 with a guest each: the first worker has link 0, the last one link 1.
#[derive(Debug)]
pub(super) struct Testbed {
    arena: &'static Arena,
    compiler: Compiler,
    publisher: Publisher,
    pub(super) workers: Vec<Worker>,
    one: Cable,
    two: Cable,
    programs: Vec<SteerProgram>,
}

/// A parent with subport 100 for link 0, and a port of the subport's network for link 1.
pub(super) fn records() -> Vec<Record> {
    vec![
        network("n1", 1),
        network("n2", 2),
        port("parent", 1, "n1", 1),
        port("sub", 2, "n2", 2),
        port("peer", 3, "n2", 3),
        segmentation("s", "parent", "sub", 100),
    ]
}

pub(super) fn network(id: &str, key: u32) -> Record {
    let json = json!({"id": id, "unique_key": key, "topic": "t"});
    Record { table: Table::Lswitch, id: id.to_owned(), json }
}

/// A port with the address 02:00:00:00:00:`address`.
pub(super) fn port(id: &str, key: u32, network: &str, address: u8) -> Record {
    let mac = format!("02:00:00:00:00:{address:02x}");
    let json = json!({"id": id, "unique_key": key, "lswitch": network, "macs": [mac], "topic": "t"});
    Record { table: Table::Lport, id: id.to_owned(), json }
}

pub(super) fn segmentation(id: &str, parent: &str, port: &str, vid: u16) -> Record {
    let json = json!({"id": id, "parent": parent, "port": port, "topic": "t",
        "segmentation_type": "vlan", "segmentation_id": vid});
    Record { table: Table::ChildPortSegmentation, id: id.to_owned(), json }
}

pub(super) fn cable(arena: &'static Arena, name: &str, id: u16) -> Cable {
    let guest = format!("{name}-guest");
    ip(&format!("link add {name} type veth peer name {guest}"));
    for end in [name, &guest] {
        // Without IPv6 the kernel sends no frames of its own.
        ip(&format!("link set {end} addrgenmode none"));
        ip(&format!("link set {end} up"));
    }
    let ifindex = |name: &str| {
        IfIndex::new(nix::net::if_::if_nametoindex(name).expect("an index")).expect("an index above 0")
    };
    let socket = XskSocket::open(arena, id, &guest, QueueId(0)).expect("the guest's socket");
    Cable { ifindex: ifindex(name), guest_ifindex: ifindex(&guest), guest: socket }
}

pub(super) fn ip(arguments: &str) {
    assert!(Command::new("ip").args(arguments.split(' ')).status().expect("ip").success(), "ip {arguments}");
}

pub(super) fn attach(arena: &'static Arena, cable: &Cable, name: &str, id: u16) -> (SteerProgram, XskSocket) {
    let socket = XskSocket::open(arena, id, name, QueueId(0)).expect("a socket");
    (steer(cable.ifindex, &socket), socket)
}

fn steer(ifindex: IfIndex, to: &XskSocket) -> SteerProgram {
    let options = ProgramOptions { queues: 1, no_socket: NoSocketPolicy::Drop, allow_generic: false };
    let program =
        SteerProgram::attach(&mut ProgramLoader::default(), ifindex, options, None).expect("the program");
    program.steer(QueueId(0), to.as_fd()).expect("the map");
    program
}

/// A frame of the guest with VLAN 100.
pub(super) fn tagged(arena: &'static Arena, destination: [u8; 6]) -> Frame {
    let mut frame = arena.take().expect("a frame");
    let mut bytes = destination.to_vec();
    bytes.extend([2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 0x88, 0xb5]);
    bytes.resize(64, 0x5a);
    assert!(frame.set_bytes(&bytes));
    frame
}

impl Testbed {
    /// One worker, the [`records`], and port `peer` on link 1.
    pub(super) fn new() -> Self {
        Self::of(1, records(), "peer")
    }

    /// A testbed in a new network namespace of this thread. Link 0 belongs to port `parent`.
    pub(super) fn of(workers: usize, records: Vec<Record>, second_port: &str) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        ip("link set lo up");
        let arena = Arena::umem(CHUNKS).expect("packet memory");
        let (one, two) = (cable(arena, "one", 0), cable(arena, "two", 1));
        let (program_one, socket_one) = attach(arena, &one, "one", 2);
        let (program_two, socket_two) = attach(arena, &two, "two", 3);

        let last = workers - 1;
        let mut compiler = Compiler::new(workers, Policy::default());
        compiler.apply_snapshot(&Snapshot { revision: Revision(1), records });
        compiler.set_link(link(0, &one, "parent", 0));
        compiler.set_link(link(1, &two, second_port, last));
        let publisher = Publisher::new(compiler.compile());
        let mut workers = start(workers, arena, &publisher);
        for (worker, slot, socket) in [(0, 0, socket_one), (last, 1, socket_two)] {
            let (socket, ready) = (Box::new(socket), oneshot::channel().0);
            assert!(workers[worker].execute(Order::Attach { link: LinkSlot(slot), socket, ready }).is_none());
        }
        let mut testbed =
            Self { arena, compiler, publisher, workers, one, two, programs: vec![program_one, program_two] };
        testbed.pass();
        testbed
    }

    /// Runs a pass of each worker. Returns whether one had work.
    pub(super) fn pass(&mut self) -> bool {
        self.workers.iter_mut().fold(false, |busy, worker| worker.pass() | busy)
    }

    /// Sends a burst with VLAN 100 from the guest on link 0.
    pub(super) fn send(&mut self, destination: [u8; 6]) {
        let mut burst: Vec<_> = (0..BURST_FRAMES).map(|_| tagged(self.arena, destination)).collect();
        assert_eq!(self.one.guest.transmit(&mut burst), BURST_FRAMES);
        assert_eq!(self.one.guest.kick(), 0, "a veth takes them at once");
        self.one.guest.complete(&mut ChunkPool::new(self.arena));
    }

    /// Opens the RX queue of the guest on link 1.
    pub(super) fn open_receiver(&mut self) {
        self.programs.push(steer(self.two.guest_ifindex, &self.two.guest));
        self.two.guest.refill(&mut ChunkPool::new(self.arena), 2 * BURST_FRAMES);
    }

    /// The frames that the guest on link 1 has received since the last call.
    pub(super) fn received(&mut self) -> Vec<Vec<u8>> {
        let mut frames = VecDeque::new();
        self.two.guest.receive(&mut frames, 2 * BURST_FRAMES);
        frames.iter().map(Frame::to_vec).collect()
    }

    /// Puts records into the NB DB and publishes the new tables.
    pub(super) fn put(&mut self, records: impl IntoIterator<Item = Record>) {
        records.into_iter().for_each(|record| self.compiler.apply_change(&Change::Put(record)));
        self.publisher.publish(self.compiler.compile());
    }

    /// Frames sent to port `peer`, and frames dropped for it by reason.
    pub(super) fn peer(&self) -> (u64, Vec<(DropReason, u64)>) {
        let totals =
            self.compiler.counters().totals().find(|(lport, _)| *lport == "peer").expect("the peer").1;
        (totals.sent_frames, totals.drops_by_reason().collect())
    }

    /// Frames that were sent or dropped, of all ports.
    pub(super) fn sent_or_dropped(&self) -> usize {
        let count = |(_, totals): (_, PortTotals)| {
            totals.sent_frames + totals.drops_by_reason().map(|(_, frames)| frames).sum::<u64>()
        };
        self.compiler.counters().totals().map(count).sum::<u64>() as usize
    }

    /// Closes all sockets. Every chunk must be free afterwards.
    pub(super) fn close(self) {
        let Self { arena, workers, one, two, .. } = self;
        let sockets: Vec<_> = workers
            .into_iter()
            .flat_map(|mut worker| worker.execute(Order::Stop).expect("its sockets"))
            .collect();
        XskSocket::close_all(sockets.into_iter().chain([one.guest, two.guest]).collect());
        let census = arena.census();
        assert_eq!((census.free, census.held), (CHUNKS, 0), "every chunk is free: {census:?}");
    }
}

fn link(slot: u16, cable: &Cable, lport: &str, worker: usize) -> LocalLink {
    LocalLink {
        slot: LinkSlot(slot),
        ifindex: cable.ifindex,
        role: LinkRole::Port(lport.into()),
        up: true,
        queues: [worker].into_iter().collect(),
        complete_checksums: true,
        mtu: 1500,
        longest_frame: 1518,
        host_address: None,
    }
}

/// Workers without sockets, on no thread of their own.
fn start(workers: usize, arena: &'static Arena, publisher: &Publisher) -> Vec<Worker> {
    let waiting = (0..workers).map(|_| {
        let inbox = Inbox::new().expect("an eventfd");
        (Idle::new(&inbox.doorbell, IdleMode::Adaptive).expect("an epoll"), inbox)
    });
    let (idles, inboxes): (Vec<_>, Vec<_>) = waiting.unzip();
    let inboxes: Arc<[Inbox]> = inboxes.into();
    let start = |(worker, idle)| {
        let outlet = WorkerOutlet::new(worker, ChunkPool::new(arena), Arc::clone(&inboxes));
        let mut started = Worker::new(outlet, publisher.reader(), unbounded().1, idle);
        assert!(started.execute(Order::SetShares(Shares::of(CHUNKS, workers, 2))).is_none());
        started
    };
    idles.into_iter().enumerate().map(start).collect()
}
