//! Bursts of frames, ready for a step.

use trunkpath::datapath::{Destination, Outlet, Source, classify, destination};
use trunkpath::packet::dot1q;
use trunkpath::tables::{LinkSlot, PortSlot, Tables, WorkerId};
use trunkpath::types::{Pcp, Tci};
use trunkpath::xsk::{Arena, Frame};

use crate::cloud::Cloud;

/// How far the frames of a burst have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// With their tags, as they arrive.
    Received,
    /// Without them.
    Classified,
}

/// Frames from one link, and where they went.
pub struct Burst {
    pub link: LinkSlot,
    pub jobs: Vec<Job>,
    pub sent: Sent,
    len: usize,
}

/// A frame, and what the steps so far have found out about it.
pub struct Job {
    pub frame: Frame,
    pub source: Source,
    pub to: PortSlot,
}

/// An outlet that keeps what is sent.
pub struct Sent(Vec<Frame>);

/// Makes bursts of random frames, the same ones in each run.
pub struct Maker<'a> {
    cloud: &'a Cloud,
    tables: &'a Tables,
    arena: &'static Arena,
    pub stage: Stage,
    pub frames_per_burst: usize,
    random: u64,
}

impl<'a> Maker<'a> {
    pub const fn new(
        cloud: &'a Cloud,
        tables: &'a Tables,
        arena: &'static Arena,
        stage: Stage,
        frames_per_burst: usize,
    ) -> Self {
        Self { cloud, tables, arena, stage, frames_per_burst, random: 0x9e37_79b9_7f4a_7c15 }
    }

    pub fn make(&mut self) -> Burst {
        let link = self.draw(self.cloud.sending_links());
        let jobs: Vec<Job> = (0..self.frames_per_burst).map(|_| self.job(link)).collect();
        let sent = Sent(Vec::with_capacity(jobs.len()));
        Burst { link: LinkSlot(link as u16), jobs, sent, len: self.frames_per_burst }
    }

    fn job(&mut self, link: usize) -> Job {
        let cloud = self.cloud;
        let way = cloud.way(link, &mut |below| self.draw(below));
        let mut frame = self.arena.take().expect("as many frames as bursts need");
        let mut bytes = [0; 60];
        bytes[..6].copy_from_slice(&way.address.bytes());
        assert!(frame.set_bytes(&bytes));
        let tci = Tci::new(way.vid, Pcp::default());
        dot1q::push(&mut frame, tci).unwrap();
        let source = classify(&mut frame, way.link, self.tables, 0).unwrap();
        let Ok(Destination::Port(to)) = destination(&frame, &source, self.tables) else {
            unreachable!("a way leads to somebody");
        };
        if self.stage == Stage::Received {
            dot1q::push(&mut frame, tci).unwrap();
        }
        Job { frame, source, to }
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
    /// Fails when a frame got lost: then something else was timed than what the name says.
    pub fn check(&self) {
        assert_eq!(self.jobs.len() + self.sent.0.len(), self.len);
    }
}

impl Outlet for Sent {
    fn worker(&self) -> WorkerId {
        0
    }

    fn take(&mut self) -> Option<Frame> {
        None
    }

    fn transmit(&mut self, _tables: &Tables, _port: PortSlot, frame: Frame) {
        self.0.push(frame);
    }

    fn release(&mut self, frame: Frame) {
        drop(frame);
    }
}
