//! Bursts of frames, prepared for a step.

use trunkpath::datapath::{
    self, Context, Entry, HandedOver, Ingress, Outlet, Packet, State, Target, classify, forward, locate,
};
use trunkpath::packet::dot1q;
use trunkpath::packet::tunnel::{Flow, OuterHeader};
use trunkpath::tables::{Exit, LinkSlot, PortSlot, Tables, WorkerId};
use trunkpath::types::{Pcp, QueueId, Tci};
use trunkpath::xsk::{Arena, Frame};

use super::guard::ip;
use super::scenario::{HERE, OTHER, SizedScenario, Traffic, UPLINK, Way, address, endpoints};

/// Step that the frames of a burst have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// As received, with their tags.
    Received,
    /// Classified, without the tags that selected a port.
    Classified,
}

/// Room for connections of traffic without: callgrind takes a second to zero that of a worker.
const FEW: u32 = 1 << 10;
/// Room for those of traffic with new ones.
const MANY: u32 = 1 << 20;
/// Time after which a connection of UDP is forgotten, in nanoseconds.
const FORGOTTEN_NS: u64 = 31_000_000_000;

/// Size and traffic of a burst.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub stage: Stage,
    pub traffic: Traffic,
    pub frames: usize,
    /// Free chunks that the burst needs for copies.
    pub copies: usize,
}

/// Frames from one link, and the outlet that receives them.
#[derive(Debug)]
pub struct Burst {
    pub entry: Entry,
    /// Frames as received; none for a step behind `classify`.
    pub received: datapath::Burst,
    /// Frames with their facts, and the receiver if it is a single port; none for the first step.
    pub classified: Vec<(Packet, Option<PortSlot>)>,
    pub end: End,
    kind: Kind,
}

/// An outlet that keeps transmitted frames.
#[derive(Debug)]
pub struct End {
    sent: Vec<Frame>,
    free: Vec<Frame>,
}

/// Generator of random bursts, the same ones in each run.
#[derive(Debug)]
pub struct Maker<'a> {
    scenario: &'a SizedScenario,
    tables: &'a Tables,
    arena: &'static Arena,
    kind: Kind,
    random: u64,
    /// Number of packets of connections.
    packets: usize,
}

/// Source address of frames of ports without port security.
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];

impl Kind {
    /// Chunks of a burst, including the free ones.
    pub const fn all_frames(&self) -> usize {
        self.frames + self.copies
    }
}

const fn entry(link: LinkSlot) -> Entry {
    Entry { link, queue: QueueId(0) }
}

impl<'a> Maker<'a> {
    pub const fn new(
        scenario: &'a SizedScenario,
        tables: &'a Tables,
        arena: &'static Arena,
        kind: Kind,
    ) -> Self {
        Self { scenario, tables, arena, kind, random: 0x9e37_79b9_7f4a_7c15, packets: 0 }
    }

    /// The state of a worker that has had packets of all connections.
    pub fn state(&mut self) -> State {
        let Traffic::Connections(connections) = self.kind.traffic else {
            return State::new(if self.kind.traffic == Traffic::NewConnections { MANY } else { FEW });
        };
        // One at each end, and room for those that two ends would share.
        let mut state = State::new(4 * connections as u32);
        state.begin_pass(0);
        for number in 0..connections {
            let way = self.way_of(number);
            let mut received = datapath::Burst::new();
            received.push(self.received(&way, number));
            let mut end = End { sent: vec![], free: vec![] };
            let mut cx = Context { tables: self.tables, state: &mut state, outlet: &mut end };
            let ingress = Ingress::of(entry(way.link), cx.tables);
            forward(&mut received, ingress, &mut cx);
            assert_eq!(end.sent.len(), 1, "a connection is allowed");
        }
        state
    }

    /// The time of the next round of new connections: those before are over.
    pub fn begin_round(&self, state: &mut State) {
        state.begin_pass(self.packets as u64 * FORGOTTEN_NS);
    }

    pub fn make(&mut self) -> Burst {
        let kind = self.kind;
        let link = self.draw(self.scenario.sending_links());
        let (mut received, mut classified) = (datapath::Burst::new(), Vec::new());
        for _ in 0..kind.frames {
            let number = if let Traffic::Connections(connections) = kind.traffic {
                self.draw(connections)
            } else {
                self.packets
            };
            self.packets += 1;
            let way = if kind.traffic.has_connections() {
                self.way_of(number)
            } else {
                self.scenario.way(link, kind.traffic, &mut |below| self.draw(below))
            };
            match kind.stage {
                Stage::Received => received.push(self.received(&way, number)),
                Stage::Classified => classified.push(self.classified(&way)),
            }
        }
        let mut free: Vec<_> = (0..kind.copies).map(|_| self.free_frame()).collect();
        free.reserve_exact(kind.frames);
        let end = End { sent: Vec::with_capacity(kind.all_frames()), free };
        Burst {
            entry: entry(if kind.traffic == Traffic::FromHost { UPLINK } else { LinkSlot(link as u16) }),
            received,
            classified,
            end,
            kind,
        }
    }

    fn free_frame(&self) -> Frame {
        self.arena.take().expect("as many frames as bursts need")
    }

    /// The way of a connection: always the same of the same number, from the first link.
    fn way_of(&self, number: usize) -> Way {
        let mut random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.scenario.way(0, self.kind.traffic, &mut |below| draw(&mut random, below))
    }

    /// A frame without tags, to the destination.
    fn untagged(&self, way: &Way, number: usize) -> Frame {
        let mut frame = self.free_frame();
        let mut bytes = [0; 60];
        bytes[..6].copy_from_slice(&way.address.bytes());
        if self.kind.traffic.has_connections() {
            fill_in_packet(&mut bytes, way, number);
        } else {
            bytes[6..12].copy_from_slice(&SOURCE);
        }
        assert!(frame.set_bytes(&bytes));
        frame
    }

    /// The frame as it comes in by the link: with its tag, or in a tunnel packet of the other host.
    fn received(&self, way: &Way, number: usize) -> Frame {
        let mut frame = self.untagged(way, number);
        if self.kind.traffic == Traffic::FromHost {
            let header = OuterHeader::new(way.tunnel.kind(), &endpoints(OTHER, HERE), false).unwrap();
            let flow = Flow::of(frame.bytes());
            header.push(&mut frame, way.tunnel, flow, 1).unwrap();
        } else {
            dot1q::push(&mut frame, Tci::new(way.vid, Pcp::default())).unwrap();
        }
        frame
    }

    /// The same after its classification, with the receiver if it is a single port.
    fn classified(&self, way: &Way) -> (Packet, Option<PortSlot>) {
        let mut frame = self.received(way, 0);
        let mut end = End { sent: vec![], free: vec![] };
        let mut cx = Context { tables: self.tables, state: &mut State::new(FEW), outlet: &mut end };
        let facts = classify(&mut frame, Ingress::of(entry(way.link), cx.tables), &mut cx).unwrap();
        let packet = Packet { frame, facts };
        let to = match locate(&packet, &mut cx) {
            Ok(Target::Port(to)) => Some(to),
            Ok(Target::Flood) | Err(_) => None,
        };
        (packet, to)
    }

    /// A random number less than `below` (xorshift64).
    fn draw(&mut self, below: usize) -> usize {
        draw(&mut self.random, below)
    }
}

fn draw(random: &mut u64, below: usize) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random % below as u64) as usize
}

/// A UDP packet behind the destination address; its ports are the number of its connection.
fn fill_in_packet(bytes: &mut [u8; 60], way: &Way, number: usize) {
    let (from, to) = way.ends;
    bytes[6..12].copy_from_slice(&address(from).bytes());
    bytes[12..24].copy_from_slice(&[8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
    bytes[26..30].copy_from_slice(&ip(from).octets());
    bytes[30..34].copy_from_slice(&ip(to).octets());
    // Above the ports of DHCP, whose messages are longer.
    for (port, part) in bytes[34..38].chunks_exact_mut(2).zip([number & 0x7fff, number >> 15]) {
        port.copy_from_slice(&(0x8000 | part as u16).to_be_bytes());
    }
    bytes[38..40].copy_from_slice(&26_u16.to_be_bytes());
}

impl Burst {
    /// Asserts that the frames had the outcome that the traffic implies, so that the measurement matches its
    /// name.
    pub fn check(&self) {
        let left = self.received.len() + self.classified.len();
        let done = self.kind.frames - left;
        let sent = match self.kind.traffic {
            _ if done == 0 => 0,
            Traffic::Hit
            | Traffic::Parents
            | Traffic::ToHost
            | Traffic::FromHost
            | Traffic::Connections(_)
            | Traffic::NewConnections => done,
            Traffic::Flood => self.kind.all_frames(),
            Traffic::Unknown => 0,
        };
        assert_eq!(self.end.sent.len(), sent);
        assert_eq!(self.end.free.len(), self.kind.all_frames() - left - sent);
    }
}

impl Outlet for End {
    #[inline]
    fn worker(&self) -> WorkerId {
        0
    }

    #[inline]
    fn allocate(&mut self) -> Option<Frame> {
        self.free.pop()
    }

    fn now_ns(&mut self) -> u64 {
        0
    }

    #[inline]
    fn transmit(&mut self, frame: Frame, _exit: &Exit<'_>) {
        self.sent.push(frame);
    }

    fn hand_over(&mut self, _worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver> {
        Err(packet)
    }

    #[inline]
    fn release(&mut self, frame: Frame) {
        self.free.push(frame);
    }
}
