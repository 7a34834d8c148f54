//! The sockets, rings and frames of the crate without tables: a loop that strips the tag of frames from the
//! parent and pushes one on frames to it.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use clap::Args;
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use trunkpath::kernel::{ProgramLoader, ProgramOptions, SteerProgram};
use trunkpath::packet::dot1q::{push, strip};
use trunkpath::types::NoSocketPolicy;
use trunkpath::types::{IfIndex, Pcp, QueueId, Tci, VlanId};
use trunkpath::xsk::{Arena, BURST_FRAMES, CHUNK_BYTES, ChunkPool, Frame, RECEIVE_RING_SIZE, XskSocket};

use super::{Context, Peer};
use crate::bpf::Hook;
use crate::child::Child;
use crate::testbed::Testbed;
use crate::threads;

/// Output of the child when it forwards.
const READY: &str = "forwards";

/// Passes without work before the loop waits, and the pause between two of them; as in the worker.
const PASSES_TO_SLEEP: u32 = 64;
const PAUSES: u32 = 32;
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Maximum number of waiting frames of one side; about that of a worker with a single socket under load.
const WAITING_FRAMES: usize = 65_536;

/// The child process and its testbed.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    testbed: Testbed,
}

impl Bare {
    /// Starts the child; returns when it forwards.
    pub fn start(context: &Context) -> Result<Self> {
        let testbed = Testbed::new(&context.programs, "bare", Hook::Tc)?;
        let this = std::env::current_exe()?;
        let mut command = testbed.dut.command(this.to_str().context("a path that is no UTF-8")?);
        command.args(["forward", "--cpu", &context.datapath_cpu.to_string()]);
        let mut child = Child::start("bare", &mut command, &context.folder)?;
        child.wait_for_log(READY)?;
        Ok(Self { child, testbed })
    }
}

impl Peer for Bare {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        vec![self.child.pid()]
    }

    fn pause(&self) {
        self.child.pause();
    }

    fn resume(&self) {
        self.child.resume();
    }
}

/// Options of the child process.
#[derive(Debug, Args)]
pub struct Forward {
    /// The CPU to run on
    #[arg(long)]
    cpu: usize,
    /// Packet memory, in MiB
    #[arg(long, default_value_t = 256)]
    umem_mib: usize,
}

/// The child process: forwards between p1, the parent's link, and p3 until it is killed.
pub fn forward(options: &Forward) -> Result<()> {
    threads::pin(Pid::from_raw(0), options.cpu)?;
    let arena = Arena::umem(options.umem_mib * (1 << 20) / CHUNK_BYTES)?;
    let (trunk, port) = (Side::open(arena, "p1", 0)?, Side::open(arena, "p3", 1)?);
    println!("{READY}");
    run(trunk, port, ChunkPool::new(arena))
}

/// Socket of one cable, and the frames between its rings and those of the other one.
struct Side {
    socket: XskSocket,
    /// Received frames that are not sent yet.
    waiting: VecDeque<Frame>,
    /// Frames that are ready to be sent.
    staged: Vec<Frame>,
    _program: SteerProgram,
}

impl Side {
    fn open(arena: &'static Arena, link: &str, id: u16) -> Result<Self> {
        let ifindex = IfIndex::new(nix::net::if_::if_nametoindex(link)?).context("index 0")?;
        let options = ProgramOptions { queues: 1, no_socket: NoSocketPolicy::Drop, allow_generic: false };
        let program = SteerProgram::attach(&mut ProgramLoader::default(), ifindex, options, None)?;
        let socket = XskSocket::open(arena, id, link, QueueId(0))?;
        program.steer(QueueId(0), socket.as_fd())?;
        let (waiting, staged) = (VecDeque::with_capacity(WAITING_FRAMES), Vec::with_capacity(BURST_FRAMES));
        Ok(Self { socket, waiting, staged, _program: program })
    }

    fn receive(&mut self, pool: &mut ChunkPool) {
        self.socket.complete(pool);
        let room = WAITING_FRAMES - self.waiting.len();
        self.socket.receive(&mut self.waiting, room);
        self.socket.refill(pool, RECEIVE_RING_SIZE);
    }

    /// Prepares a burst for the other side, and returns its size.
    fn forward(&mut self, to: &mut Self, pool: &mut ChunkPool, work: impl Fn(&mut Frame)) -> usize {
        let frames = self.waiting.len().min(BURST_FRAMES);
        to.staged.extend(self.waiting.drain(..frames));
        pool.warm_up(&mut to.staged);
        to.staged.iter_mut().for_each(work);
        frames
    }

    fn flush(&mut self, pool: &mut ChunkPool) {
        if !self.staged.is_empty() {
            self.socket.transmit(&mut self.staged);
            self.socket.kick();
            // Drops frames that do not fit into the ring.
            self.staged.drain(..).for_each(|frame| pool.put(frame));
        }
    }
}

fn run(mut trunk: Side, mut port: Side, mut pool: ChunkPool) -> Result<()> {
    let mut idle = 0;
    loop {
        trunk.receive(&mut pool);
        port.receive(&mut pool);
        let frames =
            trunk.forward(&mut port, &mut pool, strip) + port.forward(&mut trunk, &mut pool, push_by_address);
        if frames > 0 {
            trunk.flush(&mut pool);
            port.flush(&mut pool);
            idle = 0;
            continue;
        }
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        idle += 1;
        if idle == PASSES_TO_SLEEP {
            let mut sockets = [&trunk, &port].map(|side| PollFd::new(&side.socket, PollFlags::IN));
            poll(&mut sockets, Some(&NAP))?;
            idle = 0;
        }
    }
}

/// Pushes the VID in the last two bytes of the destination, by the addresses of `job.rs` and without a table.
fn push_by_address(frame: &mut Frame) {
    let vid =
        frame.bytes().get(4..).and_then(|bytes| bytes.first_chunk()).map(|vid| u16::from_be_bytes(*vid));
    if let Some(Ok(vid)) = vid.map(VlanId::new) {
        // There is always room: the kernel leaves 256 bytes in front of a frame.
        push(frame, Tci::new(vid, Pcp::default())).unwrap_or_default();
    }
}
