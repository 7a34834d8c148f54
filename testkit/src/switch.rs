//! The switch under test: the real tables and datapath, with lists in place of sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use trunkpath::datapath::{Burst, Context, Entry, HandedOver, Ingress, Outlet, State, forward, receive};
use trunkpath::nb::{Change, Record, Revision, Snapshot};
use trunkpath::tables::{Compiler, Exit, LinkSlot, LocalLink, PortTotals, Publisher, Tables, WorkerId};
use trunkpath::types::{DropReason, IfIndex, Incumbents, LinkRole, QueueId};
use trunkpath::xsk::{Arena, Frame};

use crate::outside::Outside;
use crate::scenario::Scenario;

/// A frame that left: the port whose link it left by, and its bytes.
pub type Sent = (String, Vec<u8>);

#[derive(Debug)]
pub struct Switch {
    records: BTreeMap<(String, String), Record>,
    pub compiler: Compiler,
    publisher: Publisher,
    pub tables: Arc<Tables>,
    links: Vec<crate::scenario::Link>,
    outside: Outside,
    pub states: [State; WORKERS],
    pub outlet: Recorder,
}

/// Connections that each worker has room for.
const CONNECTIONS: u32 = 1 << 12;

/// Workers that links may belong to.
const WORKERS: usize = 2;

/// The outlet of both workers: keeps transmitted frames, and returns others to the arena.
#[derive(Debug)]
pub struct Recorder {
    pub arena: &'static Arena,
    pub worker: WorkerId,
    pub sent: Vec<(LinkSlot, Frame)>,
    /// Packets in the queue to each worker.
    pub waiting: VecDeque<(WorkerId, HandedOver)>,
    /// Time in nanoseconds, set by the test.
    pub now: u64,
}

impl Switch {
    pub fn new(scenario: &Scenario) -> Self {
        Self::with_chunks(scenario, 64)
    }

    /// A switch that starts with the incumbents of an earlier run.
    pub fn with_incumbents(scenario: &Scenario, incumbents: Incumbents) -> Self {
        Self::start(scenario, incumbents, heap(64))
    }

    /// A switch with `chunks` chunks of memory.
    pub fn with_chunks(scenario: &Scenario, chunks: usize) -> Self {
        Self::with_arena(scenario, heap(chunks))
    }

    /// A switch with the memory of an earlier one, as an arena lives as long as the process.
    pub fn with_arena(scenario: &Scenario, arena: &'static Arena) -> Self {
        Self::start(scenario, Incumbents::new(), arena)
    }

    fn start(scenario: &Scenario, incumbents: Incumbents, arena: &'static Arena) -> Self {
        let mut compiler = Compiler::new(WORKERS, scenario.policy());
        compiler.set_incumbents(incumbents);
        let publisher = Publisher::new(compiler.compile());
        let tables = publisher.current();
        let chunks = arena.chunk_count();
        let outlet = Recorder {
            arena,
            worker: 0,
            sent: Vec::with_capacity(chunks),
            waiting: VecDeque::with_capacity(chunks),
            now: 0,
        };
        let states = std::array::from_fn(|_| State::new(CONNECTIONS));
        let mut switch = Self {
            records: BTreeMap::new(),
            compiler,
            publisher,
            tables,
            links: Vec::new(),
            outside: Outside::default(),
            states,
            outlet,
        };
        switch.follow(scenario);
        switch
    }

    /// Applies the changes from the last scenario to this one.
    pub fn follow(&mut self, scenario: &Scenario) {
        let records: BTreeMap<_, _> = scenario
            .records()
            .into_iter()
            .map(|record| ((record.table.to_string(), record.id.clone()), record))
            .collect();
        if self.records.is_empty() {
            // At the start all records come at once.
            self.compiler.apply_snapshot(&Snapshot { revision: Revision(1), records: scenario.records() });
            self.records.clone_from(&records);
        }
        for (key, record) in &self.records {
            if !records.contains_key(key) {
                self.compiler.apply_change(&Change::Delete { table: record.table, id: record.id.clone() });
            }
        }
        for (key, record) in &records {
            if self.records.get(key) != Some(record) {
                self.compiler.apply_change(&Change::Put(record.clone()));
            }
        }
        self.records = records;
        for gone in &self.links {
            if !scenario.links.iter().any(|link| link.port == gone.port) {
                self.compiler.remove_link(&LinkRole::Port(gone.port.as_str().into()));
            }
        }
        for link in local_links(scenario) {
            self.compiler.set_link(link);
        }
        self.follow_outside(&scenario.outside);
        self.links.clone_from(&scenario.links);
        self.publish();
    }

    /// Compiles and publishes what has changed.
    pub fn publish(&mut self) {
        self.publisher.publish(self.compiler.compile());
        self.tables = self.publisher.current();
    }

    fn follow_outside(&mut self, outside: &Outside) {
        self.compiler.set_host(outside.host());
        for gone in &self.outside.uplinks {
            if !outside.uplinks.iter().any(|uplink| uplink.name == gone.name) {
                self.compiler.remove_link(&LinkRole::Uplink(gone.name.into()));
            }
        }
        for link in outside.links() {
            self.compiler.set_link(link);
        }
        let paths: BTreeMap<_, _> = outside.paths().into_iter().collect();
        for (gone, _) in self.outside.paths() {
            if !paths.contains_key(&gone) {
                self.compiler.set_paths(gone, None);
            }
        }
        for (address, path) in paths {
            self.compiler.set_paths(address, Some(Ok(vec![path])));
        }
        self.outside.clone_from(outside);
    }

    /// Sends `frame` into an uplink; returns the frames that leave, in order.
    pub fn send_from_outside(&mut self, uplink: &str, frame: &[u8]) -> Vec<Sent> {
        self.send_on(self.outside.slot_of(uplink), frame)
    }

    /// Sends `frame` into the link of `port`; returns the frames that leave, in order.
    pub fn send(&mut self, port: &str, frame: &[u8]) -> Vec<Sent> {
        let slot = self.links.iter().position(|link| link.port == port).expect("a link of this scenario");
        self.send_on(LinkSlot(slot as u16), frame)
    }

    /// Sends `frame` into the link at `slot`.
    pub fn send_on(&mut self, slot: LinkSlot, frame: &[u8]) -> Vec<Sent> {
        self.receive_on(slot, frame);
        self.take_waiting();
        self.sent()
    }

    /// Runs `frame` through the half of the worker that owns the link at `slot`.
    pub fn receive_on(&mut self, slot: LinkSlot, frame: &[u8]) {
        let mut received = self.outlet.arena.take().expect("a free frame");
        received.clear();
        assert!(received.extend([frame], || self.outlet.arena.take()));
        let link = self.links.get(usize::from(slot.0)).map(|link| link.worker);
        let uplink = self.outside.links().iter().position(|link| link.slot == slot);
        self.outlet.worker = link.or(uplink.map(|place| self.outside.uplinks[place].worker)).unwrap_or(0);
        let now = self.outlet.now;
        self.states.iter_mut().for_each(|state| state.begin_pass(now));
        let mut cx = self.context();
        let ingress = Ingress::of(Entry { link: slot, queue: QueueId(0) }, cx.tables);
        forward(&mut Burst::from_iter([received]), ingress, &mut cx);
    }

    /// Runs the packets in the queue to a worker through the other half.
    pub fn take_waiting(&mut self) {
        while let Some((worker, packet)) = self.outlet.waiting.pop_front() {
            self.outlet.worker = worker;
            receive(packet, &mut self.context());
        }
    }

    /// Frames that left since the last call.
    pub fn sent(&mut self) -> Vec<Sent> {
        let name = |slot: LinkSlot| match self.outside.name_at(slot) {
            Some(uplink) => uplink.to_owned(),
            None => self.links[usize::from(slot.0)].port.clone(),
        };
        let sent = self.outlet.sent.drain(..);
        sent.map(|(link, frame)| (name(link), frame.to_vec())).collect()
    }

    fn context(&mut self) -> Context<'_, Recorder> {
        let Self { tables, states, outlet, .. } = self;
        Context { tables, state: &mut states[outlet.worker], outlet }
    }

    /// Drops so far, by port (`None`: no port) and reason.
    pub fn drops(&self) -> BTreeMap<(Option<String>, DropReason), u64> {
        let of_ports =
            self.compiler.counters().totals().map(|(port, totals)| (Some(port.to_string()), totals));
        let counters = self.compiler.counters();
        let of_hosts =
            counters.peer_totals().into_iter().map(|(host, totals)| (Some(host.to_string()), totals));
        let of_segments = counters.segment_totals().into_iter();
        let of_segments = of_segments.map(|(network, totals)| (Some(network.to_string()), totals));
        let of_none = std::iter::once((None, counters.no_port().totals()));
        let counts = |(port, totals): (Option<String>, PortTotals)| {
            totals.drops_by_reason().map(move |(reason, n)| ((port.clone(), reason), n)).collect::<Vec<_>>()
        };
        of_ports.chain(of_hosts).chain(of_segments).chain(of_none).flat_map(counts).collect()
    }

    /// Problems that the compiler reports.
    pub fn problems(&self) -> Vec<String> {
        self.compiler.problems().iter().map(ToString::to_string).collect()
    }
}

fn heap(chunks: usize) -> &'static Arena {
    Arena::heap(chunks).unwrap()
}

/// The links of `scenario` for the compiler, each with its index as slot.
pub fn local_links(scenario: &Scenario) -> Vec<LocalLink> {
    let link = |(place, link): (u16, &crate::scenario::Link)| LocalLink {
        slot: LinkSlot(place),
        ifindex: IfIndex::new(u32::from(place) + 1).unwrap(),
        role: LinkRole::Port(link.port.as_str().into()),
        up: link.up,
        queues: [link.worker].into_iter().collect(),
        complete_checksums: link.complete_checksums,
        mtu: link.mtu,
        // A veth takes an Ethernet header and one tag besides.
        longest_frame: link.mtu + 18,
        host_address: None,
    };
    (0..).zip(&scenario.links).map(link).collect()
}

impl Outlet for Recorder {
    fn worker(&self) -> WorkerId {
        self.worker
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.arena.take()
    }

    fn now_ns(&mut self) -> u64 {
        self.now
    }

    fn transmit(&mut self, frame: Frame, exit: &Exit<'_>) {
        assert_eq!(exit.worker, self.worker, "a worker sends by its own links only");
        self.sent.push((exit.link, frame));
    }

    fn hand_over(&mut self, worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver> {
        if self.waiting.len() == self.waiting.capacity() {
            return Err(packet);
        }
        self.waiting.push_back((worker, packet));
        Ok(())
    }

    fn release(&mut self, frame: Frame) {
        drop(frame);
    }
}
