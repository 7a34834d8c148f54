//! What is left when the switch is taken out: the crate's own sockets, rings and frames, and a loop that strips the tag
//! of whatever comes from the trunk and pushes one on whatever goes there.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use clap::Args;
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use trunkpath::config::NoSocketPolicy;
use trunkpath::kernel::{ProgramOptions, SteerProgram};
use trunkpath::packet::dot1q::{push, strip};
use trunkpath::types::{IfIndex, Pcp, QueueId, Tci, VlanId};
use trunkpath::xsk::{Arena, BURST_FRAMES, FRAME_BYTES, Frame, FramePool, RING_FRAMES, XskSocket};

use super::{Lab, Peer};
use crate::bed::Bed;
use crate::bpf::Hook;
use crate::child::Child;
use crate::threads;

/// What the child says when it forwards.
const READY: &str = "forwards";

/// Passes without work before it waits for some, and pauses between two of them; as the worker has it.
const PASSES_TO_SLEEP: u32 = 64;
const PAUSES: u32 = 32;
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The child and its bed.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    bed: Bed,
}

impl Bare {
    /// Starts it; returns when it forwards.
    pub fn start(lab: &Lab) -> Result<Self> {
        let bed = Bed::new(&lab.programs, "bare", Hook::Tc)?;
        let this = std::env::current_exe()?;
        let mut command = bed.dut.command(this.to_str().context("a path that is no UTF-8")?);
        command.args(["forward", "--cpu", &lab.datapath_cpu.to_string()]);
        let mut child = Child::start("bare", &mut command, &lab.folder)?;
        child.wait_for_log(READY)?;
        Ok(Self { child, bed })
    }
}

impl Peer for Bare {
    fn bed(&self) -> &Bed {
        &self.bed
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

/// Options of the child.
#[derive(Debug, Args)]
pub struct Forward {
    /// The CPU to run on
    #[arg(long)]
    cpu: usize,
    /// Packet memory, in MiB
    #[arg(long, default_value_t = 256)]
    umem_mib: usize,
}

/// The child: forwards between p1, the trunk, and p3 until it is killed.
pub fn forward(options: &Forward) -> Result<()> {
    threads::pin(Pid::from_raw(0), options.cpu)?;
    let arena = Arena::umem(options.umem_mib * (1 << 20) / FRAME_BYTES)?;
    let (trunk, port) = (Side::open(arena, "p1", 0)?, Side::open(arena, "p3", 1)?);
    println!("{READY}");
    run(trunk, port, FramePool::new(arena))
}

/// One cable's socket.
struct Side {
    socket: XskSocket,
    _program: SteerProgram,
}

impl Side {
    fn open(arena: &'static Arena, device: &str, id: u16) -> Result<Self> {
        let ifindex = IfIndex::new(nix::net::if_::if_nametoindex(device)?).context("index 0")?;
        let options = ProgramOptions { queues: 1, no_socket: NoSocketPolicy::Drop, allow_generic: false };
        let program = SteerProgram::attach(ifindex, options)?;
        let socket = XskSocket::open(arena, id, device, QueueId(0))?;
        program.steer(QueueId(0), socket.as_fd())?;
        Ok(Self { socket, _program: program })
    }
}

fn run(mut trunk: Side, mut port: Side, mut pool: FramePool) -> Result<()> {
    let (mut burst, mut idle) = (Vec::with_capacity(BURST_FRAMES), 0);
    loop {
        let up = pass(&mut trunk.socket, &mut port.socket, &mut pool, &mut burst, strip);
        let down = pass(&mut port.socket, &mut trunk.socket, &mut pool, &mut burst, push_by_address);
        if up + down > 0 {
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

/// Takes a burst from one socket to the other.
fn pass(
    from: &mut XskSocket,
    to: &mut XskSocket,
    pool: &mut FramePool,
    burst: &mut Vec<Frame>,
    work: impl Fn(&mut Frame),
) -> usize {
    from.complete(pool);
    to.complete(pool);
    let received = from.receive(burst);
    from.refill(pool, RING_FRAMES);
    if received > 0 {
        burst.iter_mut().for_each(work);
        to.transmit(burst);
        to.kick();
        // What the ring had no room for is lost.
        burst.drain(..).for_each(|frame| pool.put(frame));
    }
    received
}

/// Pushes the VID that is in the last two bytes of the destination: the plan of addresses, and no table.
fn push_by_address(frame: &mut Frame) {
    let vid =
        frame.bytes().get(4..).and_then(|bytes| bytes.first_chunk()).map(|vid| u16::from_be_bytes(*vid));
    if let Some(Ok(vid)) = vid.map(VlanId::new) {
        // There is always room: the kernel leaves 256 bytes in front.
        push(frame, Tci::new(vid, Pcp::default())).unwrap_or_default();
    }
}
