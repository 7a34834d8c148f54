//! Bursts of frames, ready for a step.

use trunkpath::datapath::{Destination, Outlet, Source, classify, destination};
use trunkpath::packet::dot1q;
use trunkpath::tables::{Egress, LinkSlot, PortSlot, Tables, WorkerId};
use trunkpath::types::{Pcp, Tci};
use trunkpath::xsk::{Arena, Frame};

use super::scenario::{SizedScenario, Traffic};

/// How far the frames of a burst have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// With their tags, as they arrive.
    Received,
    /// Without them.
    Classified,
}

/// What a burst is like.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub stage: Stage,
    pub traffic: Traffic,
    pub frames: usize,
    /// Free frames that the burst needs for copies.
    pub copies: usize,
}

/// Frames from one link, and where they went.
#[derive(Debug)]
pub struct Burst {
    pub link: LinkSlot,
    pub frames: Vec<Frame>,
    /// Of each frame.
    pub found: Vec<Found>,
    pub end: End,
    kind: Kind,
}

/// What the steps find out about a frame.
#[derive(Debug)]
pub struct Found {
    pub source: Source,
    /// Where it goes, if that is one port.
    pub to: Option<PortSlot>,
}

/// An outlet that keeps what is sent.
#[derive(Debug)]
pub struct End {
    sent: Vec<Frame>,
    free: Vec<Frame>,
}

/// Makes bursts of random frames, the same ones in each run.
#[derive(Debug)]
pub struct Maker<'a> {
    scenario: &'a SizedScenario,
    tables: &'a Tables,
    arena: &'static Arena,
    kind: Kind,
    random: u64,
}

/// The source address of all frames: any that a station can have.
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];

impl Kind {
    /// The frames of a burst, the free ones included.
    pub const fn all_frames(&self) -> usize {
        self.frames + self.copies
    }
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
        let (frames, found) = (0..kind.frames).map(|_| self.frame(link)).unzip();
        let mut free: Vec<_> = (0..kind.copies).map(|_| self.free_frame()).collect();
        free.reserve_exact(kind.frames);
        let end = End { sent: Vec::with_capacity(kind.all_frames()), free };
        Burst { link: LinkSlot(link as u16), frames, found, end, kind }
    }

    fn free_frame(&self) -> Frame {
        self.arena.take().expect("as many frames as bursts need")
    }

    fn frame(&mut self, link: usize) -> (Frame, Found) {
        let scenario = self.scenario;
        let way = scenario.way(link, self.kind.traffic, &mut |below| self.draw(below));
        let mut frame = self.free_frame();
        let mut bytes = [0; 60];
        bytes[..6].copy_from_slice(&way.address.bytes());
        bytes[6..12].copy_from_slice(&SOURCE);
        assert!(frame.set_bytes(&bytes));
        let tci = Tci::new(way.vid, Pcp::default());
        dot1q::push(&mut frame, tci).unwrap();
        let source = classify(&mut frame, way.link, self.tables, 0).unwrap();
        let to = match destination(&frame, &source, self.tables) {
            Ok(Destination::Port(to)) => Some(to),
            Ok(Destination::Flood(_)) | Err(_) => None,
        };
        if self.kind.stage == Stage::Received && self.kind.traffic != Traffic::Parents {
            dot1q::push(&mut frame, tci).unwrap();
        }
        (frame, Found { source, to })
    }

    /// A number below `below` (xorshift64).
    fn draw(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }
}

impl Burst {
    /// Fails when frames ended otherwise than they should: then something else was timed than what the name says.
    pub fn check(&self) {
        let done = self.kind.frames - self.frames.len();
        let sent = match self.kind.traffic {
            _ if done == 0 => 0,
            Traffic::Hit | Traffic::Parents => done,
            Traffic::Flood => self.kind.all_frames(),
            Traffic::Unknown => 0,
        };
        assert_eq!(self.end.sent.len(), sent);
        assert_eq!(self.end.free.len(), self.kind.all_frames() - self.frames.len() - sent);
    }
}

impl Outlet for End {
    #[inline]
    fn worker(&self) -> WorkerId {
        0
    }

    #[inline]
    fn take(&mut self) -> Option<Frame> {
        self.free.pop()
    }

    fn now(&mut self) -> u64 {
        0
    }

    #[inline]
    fn transmit(&mut self, frame: Frame, _source: &Source, _to: Egress<'_>, _tables: &Tables) {
        self.sent.push(frame);
    }

    #[inline]
    fn release(&mut self, frame: Frame) {
        self.free.push(frame);
    }
}
