//! The switch under test: the real tables and datapath, with lists where a worker has sockets.

use std::collections::BTreeMap;

use trunkpath::datapath::{DropReason, Outlet, Prepared, Source, forward};
use trunkpath::nb::{Change, Record, Revision, Snapshot};
use trunkpath::tables::{Compiler, Egress, LinkSlot, LocalLink, PortSlot, PortTotals, Tables, WorkerId};
use trunkpath::types::{IfIndex, Incumbents};
use trunkpath::xsk::{Arena, Frame};

use crate::scenario::Scenario;

/// A frame that left: the port whose link it left by, and its bytes.
pub type Sent = (String, Vec<u8>);

#[derive(Debug)]
pub struct Switch {
    records: BTreeMap<(String, String), Record>,
    pub compiler: Compiler,
    pub tables: Tables,
    links: Vec<String>,
    pub outlet: Recorder,
}

/// Keeps what is transmitted, and gives the rest back to the arena.
#[derive(Debug)]
pub struct Recorder {
    pub arena: &'static Arena,
    pub sent: Vec<(PortSlot, Frame)>,
    /// What the last of them was prepared for.
    pub prepared: Option<Prepared>,
    /// Nanoseconds.
    pub now: u64,
}

impl Switch {
    pub fn new(scenario: &Scenario) -> Self {
        Self::with_frames(scenario, 64)
    }

    /// A switch that remembers who held what in an earlier run.
    pub fn remembering(scenario: &Scenario, incumbents: Incumbents) -> Self {
        Self::start(scenario, incumbents, 64)
    }

    /// A switch with `frames` frames of memory.
    pub fn with_frames(scenario: &Scenario, frames: usize) -> Self {
        Self::start(scenario, Incumbents::new(), frames)
    }

    fn start(scenario: &Scenario, incumbents: Incumbents, frames: usize) -> Self {
        let mut compiler = Compiler::new(1, scenario.policy());
        compiler.remember(incumbents);
        let tables = compiler.compile();
        let outlet = Recorder {
            arena: Arena::heap(frames).unwrap(),
            sent: Vec::with_capacity(frames),
            prepared: None,
            now: 0,
        };
        let mut switch = Self { records: BTreeMap::new(), compiler, tables, links: Vec::new(), outlet };
        switch.follow(scenario);
        switch
    }

    /// Applies the changes that lead from the last scenario to this one.
    pub fn follow(&mut self, scenario: &Scenario) {
        let records: BTreeMap<_, _> = scenario
            .records()
            .into_iter()
            .map(|record| ((record.table.to_string(), record.id.clone()), record))
            .collect();
        if self.records.is_empty() {
            // As at the start of the switch: all at once.
            self.compiler.replace(&Snapshot { revision: Revision(1), records: scenario.records() });
            self.records.clone_from(&records);
        }
        for (key, record) in &self.records {
            if !records.contains_key(key) {
                self.compiler.apply(&Change::Delete { table: record.table, id: record.id.clone() });
            }
        }
        for (key, record) in &records {
            if self.records.get(key) != Some(record) {
                self.compiler.apply(&Change::Put(record.clone()));
            }
        }
        self.records = records;
        for port in &self.links {
            if !scenario.links.iter().any(|link| link.port == *port) {
                self.compiler.remove_link(port);
            }
        }
        for link in local_links(scenario) {
            self.compiler.set_link(link);
        }
        self.links = scenario.links.iter().map(|link| link.port.clone()).collect();
        self.tables = self.compiler.compile();
    }

    /// Sends `frame` into the link of `port`; returns what leaves the switch, in the order in which it does.
    pub fn send(&mut self, port: &str, frame: &[u8]) -> Vec<Sent> {
        let slot = self.links.iter().position(|link| link == port).expect("a link of this scenario");
        self.send_on(LinkSlot(slot as u16), frame)
    }

    /// Sends `frame` into the link at `slot`.
    pub fn send_on(&mut self, slot: LinkSlot, frame: &[u8]) -> Vec<Sent> {
        let mut received = self.outlet.arena.take().expect("a free frame");
        received.clear();
        assert!(received.extend([frame], || self.outlet.arena.take()));
        forward([received], slot, &self.tables, &mut self.outlet);
        let links = &self.links;
        let sent = self.outlet.sent.drain(..);
        sent.map(|(port, frame)| (links[usize::from(port.link.0)].clone(), frame.to_vec())).collect()
    }

    /// What was dropped so far, by the port it was counted on (`None`: no port's fault) and reason.
    pub fn drops(&self) -> BTreeMap<(Option<String>, DropReason), u64> {
        let of_ports =
            self.compiler.counters().totals().map(|(port, totals)| (Some(port.to_owned()), totals));
        let of_none = std::iter::once((None, self.compiler.counters().no_port().totals()));
        let counts = |(port, totals): (Option<String>, PortTotals)| {
            totals.drops_by_reason().map(move |(reason, n)| ((port.clone(), reason), n)).collect::<Vec<_>>()
        };
        of_ports.chain(of_none).flat_map(counts).collect()
    }

    /// What the compiler has to complain about.
    pub fn problems(&self) -> Vec<String> {
        self.compiler.problems().iter().map(ToString::to_string).collect()
    }
}

/// The links of `scenario` as the compiler wants them, each at its place in the list.
pub fn local_links(scenario: &Scenario) -> Vec<LocalLink> {
    let link = |(place, link): (u16, &crate::scenario::Link)| LocalLink {
        slot: LinkSlot(place),
        ifindex: IfIndex::new(u32::from(place) + 1).unwrap(),
        lport: link.port.as_str().into(),
        up: link.up,
        queues: vec![0],
        complete_checksums: link.complete_checksums,
        mtu: link.mtu,
        // As of a veth.
        longest_frame: link.mtu + 18,
    };
    (0..).zip(&scenario.links).map(link).collect()
}

impl Outlet for Recorder {
    fn worker(&self) -> WorkerId {
        0
    }

    fn take(&mut self) -> Option<Frame> {
        self.arena.take()
    }

    fn now(&mut self) -> u64 {
        self.now
    }

    fn transmit(&mut self, frame: Frame, source: &Source, to: Egress<'_>, tables: &Tables) {
        self.prepared = Some(Prepared::new(source, to, tables));
        self.sent.push((to.slot, frame));
    }

    fn release(&mut self, frame: Frame) {
        drop(frame);
    }
}
