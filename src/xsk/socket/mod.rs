//! One AF_XDP socket: a (link, queue) pair and its four rings.
//!
//! ```text
//!   pool ──refill──▶ fill ring ──kernel──▶ RX ring ──receive──▶ in hand
//!   in hand ──transmit──▶ TX ring ──kernel──▶ completion ring ──complete──▶ pool
//! ```
//!
//! Each arrow moves [`Frame`] tokens in or out of [`Place`]s, so a frame that the kernel names comes back as a token
//! only if it was given to that very ring pair.

mod closing;
mod counts;

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use xsk_rs::config::{BindFlags, Interface, LibxdpFlags, SocketConfig};
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, TxQueue};

use super::arena::{Arena, CHUNK_BYTES, HEADROOM_BYTES, Place, ring_size, root_cause};
use super::descriptor::XDP_PKT_CONTD;
use super::frame::Frame;
use super::pool::ChunkPool;
use crate::types::QueueId;

pub use counts::{RingCensus, SocketStatistics};

/// Frames handled in one go. Enough to share the cost of a system call, few enough to stay in the cache.
pub const BURST_FRAMES: usize = 64;

/// Chunks of a frame that the kernel sends, at the most: it makes one packet of the first and a page for each other
/// one, of which a packet has 17 (`MAX_SKB_FRAGS`).
const TRANSMIT_BUFFERS: usize = 17;

/// Bytes of the longest frame that can be sent. With less in each chunk than it takes, because tags were stripped from
/// it, such a frame still has no more than `TRANSMIT_BUFFERS`.
pub const LONGEST_FRAME_BYTES: usize = (TRANSMIT_BUFFERS - 1) * (CHUNK_BYTES - HEADROOM_BYTES);

/// Descriptors in the fill ring and in the RX ring. Both are of one size, so the RX ring never overflows: the fill ring
/// runs empty first. What is received moves on into the worker's memory, so they need to hold only what comes while
/// the worker is away from its CPU: 4 ms at a million frames a second.
pub const RECEIVE_RING_SIZE: usize = 4096;

/// Descriptors in the TX ring and in the completion ring. In copy mode a system call empties the whole TX ring.
pub const TRANSMIT_RING_SIZE: usize = 2048;

/// A socket bound to one queue of one link. One thread at a time works with it.
#[derive(Debug)]
pub struct XskSocket {
    id: u16,
    queue: QueueId,
    arena: &'static Arena,
    rx: RxQueue,
    tx: TxQueue,
    fill: FillQueue,
    completion: CompQueue,
    /// The chunks so far of a frame whose last one is still in the RX ring.
    unfinished: Option<Frame>,
    /// Chunks in the fill and RX rings.
    receiving: usize,
    /// Chunks in the TX and completion rings.
    transmitting: usize,
    scratch: Box<[FrameDesc; BURST_FRAMES]>,
}

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The (link, queue) pair is bound to a socket. The kernel releases one some time after it was closed.
    #[error("queue {queue} of {link} is bound to another AF_XDP socket (EBUSY)")]
    Busy {
        /// Name of the device.
        link: String,
        /// The queue.
        queue: QueueId,
    },
    /// Any other answer of the kernel.
    #[error("cannot open an AF_XDP socket on queue {queue} of {link}: {source}")]
    Refused {
        /// Name of the device.
        link: String,
        /// The queue.
        queue: QueueId,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl XskSocket {
    /// Opens a socket on `queue` of the device named `link`, in copy mode. `id` tells its frames apart in the
    /// arena, and no other open socket has it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(arena: &'static Arena, id: u16, link: &str, queue: QueueId) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Refused { link: link.to_owned(), queue, source };
        let umem = arena.umem_handle().ok_or_else(|| refused(io::Error::other("this arena is no UMEM")))?;
        let config = SocketConfig::builder()
            .rx_queue_size(ring_size(RECEIVE_RING_SIZE).map_err(refused)?)
            .tx_queue_size(ring_size(TRANSMIT_RING_SIZE).map_err(refused)?)
            .bind_flags(BindFlags::XDP_COPY | BindFlags::XDP_USE_NEED_WAKEUP)
            .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
            .build();
        let interface = Interface::new(CString::new(link).map_err(|error| refused(error.into()))?);
        // SAFETY: the flag to load no program is set, which is what the contract asks of a shared UMEM.
        let opened = unsafe { xsk_rs::Socket::new(config, umem, &interface, u32::from(queue.0)) };
        let (tx, rx, rings) = opened.map_err(|error| match root_cause(&error) {
            cause if cause.raw_os_error() == Some(libc::EBUSY) => {
                OpenError::Busy { link: link.to_owned(), queue }
            }
            cause => refused(cause),
        })?;
        let (fill, completion) = rings.ok_or_else(|| OpenError::Busy { link: link.to_owned(), queue })?;
        let scratch = Box::new([FrameDesc::default(); BURST_FRAMES]);
        let socket = Self {
            id,
            queue,
            arena,
            rx,
            tx,
            fill,
            completion,
            unfinished: None,
            receiving: 0,
            transmitting: 0,
            scratch,
        };
        socket.send_whole_ring_at_once();
        Ok(socket)
    }

    /// The queue it is bound to.
    #[must_use]
    pub const fn queue(&self) -> QueueId {
        self.queue
    }

    /// Whether the device is still there. The kernel unbinds a socket whose device leaves the namespace, for good: it
    /// answers ENXIO then.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        // Any other error is about what it has to send.
        self.tx.wakeup().map_or_else(|error| error.raw_os_error() != Some(libc::ENXIO), |()| true)
    }

    /// Whether there is a received frame to take.
    #[inline]
    pub fn has_received(&mut self) -> bool {
        self.rx.nb_avail(1) > 0
    }

    /// Chunks in the fill and RX rings.
    #[inline]
    #[must_use]
    pub const fn receiving(&self) -> usize {
        self.receiving
    }

    /// Chunks in the TX and completion rings.
    #[inline]
    #[must_use]
    pub const fn transmitting(&self) -> usize {
        self.transmitting
    }

    /// Takes received frames, of at most `limit` chunks, and puts them behind `frames`. Returns how many chunks they
    /// have.
    #[inline]
    pub fn receive(&mut self, frames: &mut VecDeque<Frame>, limit: usize) -> usize {
        let from = Place::receiving(self.id);
        let (mut taken, mut received) = (0, 0);
        while taken < limit {
            let wanted = BURST_FRAMES.min(limit - taken);
            // SAFETY: what the ring names was given to this socket's fill ring; `claim` lets nothing else through.
            let burst = unsafe { self.rx.consume(&mut self.scratch[..wanted]) };
            for descriptor in &self.scratch[..burst] {
                let Some(chunk) = claim(self.arena, from, descriptor) else { continue };
                let continued = descriptor.options() & XDP_PKT_CONTD != 0;
                if continued || self.unfinished.is_some() {
                    let whole = join(&mut self.unfinished, chunk, continued);
                    received += whole.as_ref().map_or(0, Frame::chunk_count);
                    frames.extend(whole);
                } else {
                    received += 1;
                    frames.push_back(chunk);
                }
            }
            taken += burst;
            if burst < wanted {
                break;
            }
        }
        self.receiving -= taken;
        received
    }

    /// Gives frames of `pool` to the kernel to receive into, until `target` are with it. Returns how many are
    /// missing.
    #[inline]
    pub fn refill(&mut self, pool: &mut ChunkPool, target: usize) -> usize {
        let mut missing = target.saturating_sub(self.receiving);
        while missing > 0 {
            // The ring can look full for a moment although the kernel took frames: what does not fit waits.
            let room = self.fill.nb_free(BURST_FRAMES as u32) as usize;
            let mut filled = 0;
            for descriptor in self.scratch.iter_mut().take(missing.min(room)) {
                let Some(frame) = pool.take() else { break };
                *descriptor = self.arena.layout().descriptor(frame.address(), 0);
                frame.surrender(Place::receiving(self.id));
                filled += 1;
            }
            if filled == 0 {
                break;
            }
            // SAFETY: each descriptor is of a frame surrendered to this ring just now.
            let produced = unsafe { self.fill.produce(&self.scratch[..filled]) };
            debug_assert_eq!(produced, filled, "there was room for them");
            self.receiving += filled;
            missing -= filled;
        }
        missing
    }

    /// Puts frames into the TX ring, from the front of `frames`, as far as there is room; the rest stays. Nothing is
    /// sent before [`kick`](Self::kick). Returns how many frames.
    #[inline]
    pub fn transmit(&mut self, frames: &mut Vec<Frame>) -> usize {
        let mut sent = 0;
        loop {
            let room = self.tx.nb_free(BURST_FRAMES as u32) as usize;
            let room = room.min(BURST_FRAMES);
            let mut described = 0;
            for frame in &frames[sent..] {
                let Some(free) = self.scratch.get_mut(described..room) else { break };
                let Some(chunks) = frame.describe(self.arena.layout(), free) else { break };
                described += chunks;
                sent += 1;
            }
            if described == 0 {
                break;
            }
            // SAFETY: each descriptor is of a chunk that `frames` holds; they are surrendered to this ring below.
            let produced = unsafe { self.tx.produce(&self.scratch[..described]) };
            debug_assert_eq!(produced, described, "there was room for them");
            self.transmitting += described;
        }
        for frame in frames.drain(..sent) {
            frame.surrender(Place::transmitting(self.id));
        }
        sent
    }

    /// Asks the kernel to send what the TX ring holds. Returns how many chunks it left there, which wait for another
    /// kick: the link is down, say, or its receiver slow.
    #[inline]
    pub fn kick(&mut self) -> usize {
        let mut queued = self.tx_queued();
        while queued > 0 {
            // An error says that the device is gone. Netlink tells the control thread, which closes this socket.
            let asked = self.tx.wakeup();
            // One call may send only a part of the ring: 32 frames in older kernels.
            let left = self.tx_queued();
            if asked.is_err() || left == queued {
                return left;
            }
            queued = left;
        }
        0
    }

    /// Chunks that the TX ring has room for.
    #[inline]
    pub fn tx_room(&mut self) -> usize {
        self.tx.nb_free_exact() as usize
    }

    /// Chunks in the TX ring that the kernel has not taken.
    #[inline]
    fn tx_queued(&mut self) -> usize {
        TRANSMIT_RING_SIZE - self.tx_room()
    }

    /// Takes back the chunks that were sent.
    #[inline]
    pub fn complete(&mut self, pool: &mut ChunkPool) -> usize {
        let mut taken = 0;
        while self.transmitting > 0 {
            // SAFETY: what the ring names was given to this socket's TX ring; `claim` lets nothing else through.
            let completed = unsafe { self.completion.consume(&mut self.scratch[..]) };
            self.transmitting -= completed;
            for descriptor in self.scratch.iter().take(completed) {
                if let Some(frame) = claim(self.arena, Place::transmitting(self.id), descriptor) {
                    pool.put(frame);
                }
            }
            taken += completed;
            if completed < BURST_FRAMES {
                break;
            }
        }
        taken
    }

    /// Lets one system call send a full TX ring instead of 32 frames, where the kernel can (6.18 and later).
    fn send_whole_ring_at_once(&self) {
        const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
        let budget = TRANSMIT_RING_SIZE as u32;
        // SAFETY: the option value is `budget`, which outlives the call, and its length is given with it. An older
        // kernel answers ENOPROTOOPT, and `kick` calls more often.
        unsafe {
            libc::setsockopt(
                self.rx.fd().as_raw_fd(),
                libc::SOL_XDP,
                XDP_MAX_TX_SKB_BUDGET,
                (&raw const budget).cast(),
                size_of_val(&budget) as libc::socklen_t,
            );
        }
    }
}

impl AsFd for XskSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as the queues, which `self` owns.
        unsafe { BorrowedFd::borrow_raw(self.rx.fd().as_raw_fd()) }
    }
}

/// Adds `chunk` to the frame that is not finished yet. Returns that frame when this was its last chunk.
#[cold]
fn join(unfinished: &mut Option<Frame>, chunk: Frame, continued: bool) -> Option<Frame> {
    let frame = match unfinished.take() {
        Some(mut frame) => {
            frame.append(chunk);
            frame
        }
        None => chunk,
    };
    if continued {
        *unfinished = Some(frame);
        return None;
    }
    Some(frame)
}

/// The chunk a ring named, if the ring may name it.
#[inline]
fn claim(arena: &'static Arena, from: Place, descriptor: &FrameDesc) -> Option<Frame> {
    let (address, len) = (descriptor.addr(), descriptor.lengths().data());
    let frame = arena.claim((address / CHUNK_BYTES) as u32, from, address % CHUNK_BYTES, len);
    debug_assert!(frame.is_some(), "the kernel named a chunk at {address:#x} that it does not hold");
    frame
}
