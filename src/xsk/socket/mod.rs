//! One AF_XDP socket: a (link, queue) pair and its four rings.
//!
//! ```text
//!   pool ──refill──▶ fill ring ──kernel──▶ RX ring ──receive──▶ worker
//!   worker ──transmit──▶ TX ring ──kernel──▶ completion ring ──complete──▶ pool
//! ```
//!
//! Each arrow moves the chunks of [`Frame`] tokens into or out of a [`Place`], so a chunk that the kernel
//! names becomes a token again only if it was given to that ring pair.

mod close;
mod counts;
mod open;
mod receive;
mod transmit;
mod zero_copy;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, TxQueue};

use super::arena::Arena;
use super::copy_mode::CopyMode;
use super::frame::Frame;
use super::nic_memory::NicMemory;
use super::place::Place;
use super::sizes::{BURST_FRAMES, CHUNK_BYTES};
use crate::types::QueueId;

pub use super::copy_mode::SocketMode;
pub use counts::{RingCensus, SocketStatistics};
pub use open::OpenError;

/// A socket bound to one queue of one link. One thread at a time uses it.
#[derive(Debug)]
pub struct XskSocket {
    id: u16,
    queue: QueueId,
    arena: &'static Arena,
    memory: Memory,
    rx: RxQueue,
    tx: TxQueue,
    fill: FillQueue,
    completion: CompQueue,
    /// The first chunks of a frame whose last one is still in the RX ring.
    unfinished: Option<Frame>,
    /// Chunks of the arena in the fill and RX rings.
    receiving: usize,
    /// Chunks in the TX and completion rings, of the arena or of its own.
    transmitting: usize,
    scratch: Box<[FrameDesc; BURST_FRAMES]>,
}

/// The memory of the chunks in the rings of a socket, which determines its mode.
#[derive(Debug)]
enum Memory {
    /// The arena: copy mode.
    Arena(CopyMode),
    /// Its own: zero-copy mode.
    Nic(Box<NicMemory>),
}

impl XskSocket {
    /// The queue that the socket is bound to.
    #[must_use]
    pub const fn queue(&self) -> QueueId {
        self.queue
    }

    /// The mode in force.
    #[must_use]
    pub const fn mode(&self) -> SocketMode {
        match self.memory {
            Memory::Arena(_) => SocketMode::Copy,
            Memory::Nic(_) => SocketMode::ZeroCopy,
        }
    }

    /// Whether the link still exists. The kernel unbinds a socket permanently when its link leaves the
    /// namespace, and returns ENXIO from then on.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        // Any other error concerns the frames in the TX ring.
        self.tx.wakeup().map_or_else(|error| error.raw_os_error() != Some(libc::ENXIO), |()| true)
    }
}

impl AsFd for XskSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as the queues, which `self` owns.
        unsafe { BorrowedFd::borrow_raw(self.rx.fd().as_raw_fd()) }
    }
}

/// The chunk of a descriptor that the kernel put into a ring, if the chunk is in the place `from` of that
/// ring.
#[inline]
fn claim(arena: &'static Arena, from: Place, descriptor: &FrameDesc) -> Option<Frame> {
    let (address, len) = (descriptor.addr(), descriptor.lengths().data());
    let frame = Frame::claim(arena, (address / CHUNK_BYTES) as u32, from, address % CHUNK_BYTES, len);
    debug_assert!(frame.is_some(), "the kernel named a chunk at {address:#x} that it does not hold");
    frame
}
