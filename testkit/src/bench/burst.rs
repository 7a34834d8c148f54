//! Bursts of frames, prepared for a step.

use trunkpath::datapath::{
    self, Context, Entry, HandedOver, Ingress, Outlet, Packet, State, Target, classify, locate,
};
use trunkpath::packet::dot1q;
use trunkpath::packet::tunnel::{Flow, OuterHeader};
use trunkpath::tables::{Exit, LinkSlot, PortSlot, Tables, WorkerId};
use trunkpath::types::{Pcp, QueueId, Tci};
use trunkpath::xsk::{Arena, Frame};

use super::scenario::{HERE, OTHER, SizedScenario, Traffic, UPLINK, Way, endpoints};

/// Step that the frames of a burst have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// As received, with their tags.
    Received,
    /// Classified, without the tags that selected a port.
    Classified,
}

/// Room for connections: the ports here have none, and callgrind takes a second to zero that of a worker.
const CONNECTIONS: u32 = 1 << 10;

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
    pub state: State,
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
}

/// Source address of all frames; no port security applies.
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
        Self { scenario, tables, arena, kind, random: 0x9e37_79b9_7f4a_7c15 }
    }

    pub fn make(&mut self) -> Burst {
        let kind = self.kind;
        let link = self.draw(self.scenario.sending_links());
        let (mut received, mut classified) = (datapath::Burst::new(), Vec::new());
        for _ in 0..kind.frames {
            let way = self.scenario.way(link, kind.traffic, &mut |below| self.draw(below));
            match kind.stage {
                Stage::Received => received.push(self.received(&way)),
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
            state: State::new(CONNECTIONS),
            kind,
        }
    }

    fn free_frame(&self) -> Frame {
        self.arena.take().expect("as many frames as bursts need")
    }

    /// A frame without tags, to the destination.
    fn untagged(&self, way: &Way) -> Frame {
        let mut frame = self.free_frame();
        let mut bytes = [0; 60];
        bytes[..6].copy_from_slice(&way.address.bytes());
        bytes[6..12].copy_from_slice(&SOURCE);
        assert!(frame.set_bytes(&bytes));
        frame
    }

    /// The frame as it comes in by the link: with its tag, or in a tunnel packet of the other host.
    fn received(&self, way: &Way) -> Frame {
        let mut frame = self.untagged(way);
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
        let mut frame = self.received(way);
        let mut end = End { sent: vec![], free: vec![] };
        let mut cx = Context { tables: self.tables, state: &mut State::new(CONNECTIONS), outlet: &mut end };
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
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }
}

impl Burst {
    /// Asserts that the frames had the outcome that the traffic implies, so that the measurement matches its
    /// name.
    pub fn check(&self) {
        let left = self.received.len() + self.classified.len();
        let done = self.kind.frames - left;
        let sent = match self.kind.traffic {
            _ if done == 0 => 0,
            Traffic::Hit | Traffic::Parents | Traffic::ToHost | Traffic::FromHost => done,
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
