//! The memory of all frames, and who holds each of them.

use std::ffi::CString;
use std::fmt;
use std::num::NonZeroU32;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use xsk_rs::config::{BindFlags, FrameSize, Interface, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::{CompQueue, FillQueue, RxQueue, TxQueue, Umem};

use super::descriptor::DescriptorLayout;
use super::frame::Frame;
use super::socket::{RECEIVE_RING_SIZE, TRANSMIT_RING_SIZE};
use super::span::Span;

/// Bytes of one chunk: the smallest that UMEM allows (`XDP_UMEM_MIN_CHUNK_SIZE`), and enough for an MTU of 1500 and
/// several tags.
pub const CHUNK_BYTES: usize = 2048;

/// Bytes the kernel leaves free in front of a received frame (`XDP_PACKET_HEADROOM`): room to push 64 tags.
pub const HEADROOM_BYTES: usize = 256;

/// Where a chunk is. A number for an [`AtomicU16`]; a socket has two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    /// In the arena's queue of free chunks.
    const FREE: Self = Self(0);
    /// In user space, as a [`Frame`].
    const HELD: Self = Self(1);

    /// In the fill or RX ring of socket `id`.
    pub(super) const fn receiving(id: u16) -> Self {
        Self(2 + 2 * id)
    }

    /// In the TX or completion ring of socket `id`.
    pub(super) const fn transmitting(id: u16) -> Self {
        Self(3 + 2 * id)
    }
}

/// A UMEM that other sockets can share.
///
/// The kernel lets a socket share a UMEM only while the UMEM's own socket is bound, and unbinds that one for good when
/// its device goes. So it is bound to the one device that never goes, and does nothing there.
struct Registered {
    umem: Umem,
    _anchor: (TxQueue, RxQueue, Option<(FillQueue, CompQueue)>),
}

/// The device that the UMEM's own socket is bound to.
const ANCHOR_DEVICE: &str = "lo";

/// The memory of all frames: one UMEM, registered once, shared by every socket.
///
/// It lives as long as the process. So a frame can point to it without counting references, and what the kernel
/// still holds of it can never be freed too early.
#[derive(Debug)]
pub struct Arena {
    base: NonNull<u8>,
    /// By chunk. Only who holds a chunk writes its entry, and passing a chunk on synchronizes, so relaxed order
    /// will do.
    places: Box<[AtomicU16]>,
    /// By chunk: where the frame goes on that has a part of it there, as the same holder wrote it, and in relaxed order
    /// for the same reason. Means nothing for a chunk that is its frame's last.
    rests: Box<[AtomicU64]>,
    /// Chunks in no worker's pool. As long as it has room for every chunk, giving one back cannot fail.
    free: ArrayQueue<u32>,
    umem: Option<Registered>,
    layout: DescriptorLayout,
}

// SAFETY: `base` points to memory that is never freed, and a byte of it is reached only through the one `Frame` of
// its chunk; everything else in here is shared by design (`Umem` by a lock of its own).
unsafe impl Send for Arena {}
// SAFETY: as for `Send`.
unsafe impl Sync for Arena {}

/// How many chunks are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArenaCensus {
    /// In the arena itself.
    pub free: usize,
    /// In user space, as a [`Frame`].
    pub held: usize,
    /// In fill and RX rings.
    pub receiving: usize,
    /// In TX and completion rings.
    pub transmitting: usize,
}

/// Why there is no [`Arena`].
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// The number is 0 or does not fit.
    #[error("{0} frames: expected 1 to {max}", max = u32::MAX / 2)]
    ChunkCount(usize),
    /// The kernel refused the UMEM.
    #[error("cannot register {mib} MiB of packet memory (UMEM): {source}{}", umem_advice(.source))]
    Umem {
        /// Size asked for.
        mib: usize,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The UMEM's own socket cannot be bound. EBUSY: another process has an AF_XDP socket on the loopback device of
    /// this network namespace; it, or the kernel after its end, may let go soon.
    #[error("cannot bind an AF_XDP socket to {ANCHOR_DEVICE}, which every other socket shares memory with: {source}{}", anchor_advice(.source))]
    Anchor {
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The kernel takes no sockets for frames of several chunks (`XDP_USE_SG`, Linux 6.6).
    #[error(
        "Linux {release} is too old: AF_XDP sockets for frames of several chunks came with 6.6, and 6.8 or newer is needed to see VLAN tags that a guest's device carries beside its frames -> boot a newer kernel (on Debian 12, linux-image-amd64 of its backports)"
    )]
    Kernel {
        /// Its release, as `uname -r` prints it.
        release: String,
    },
    /// xsk-rs is not the version this program was written for.
    #[error("the frame descriptor of xsk-rs has an unknown layout: build with the pinned xsk-rs 0.11.0")]
    DescriptorLayout,
}

impl Arena {
    /// Registers a UMEM of `chunk_count` frames with the kernel.
    ///
    /// # Errors
    /// [`ArenaError`]; without `CAP_NET_RAW`, or over the limit of locked memory without `CAP_IPC_LOCK`, the kernel
    /// refuses.
    pub fn umem(chunk_count: usize) -> Result<&'static Self, ArenaError> {
        let frames = checked(chunk_count)?;
        let mib = (chunk_count * CHUNK_BYTES) >> 20;
        let failed = |source: std::io::Error| ArenaError::Umem { mib, source };
        let config = UmemConfig::builder()
            .frame_size(frame_size().map_err(failed)?)
            .fill_queue_size(ring_size(RECEIVE_RING_SIZE).map_err(failed)?)
            .comp_queue_size(ring_size(TRANSMIT_RING_SIZE).map_err(failed)?)
            .build()
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        // Huge pages where some are reserved: they are there sooner, and cost fewer TLB misses.
        let umem = Umem::new(config, frames, true).or_else(|_| Umem::new(config, frames, false));
        let (umem, descriptors) = umem.map_err(|error| failed(root_cause(&error)))?;
        let first = descriptors.first().ok_or(ArenaError::ChunkCount(chunk_count))?;
        // SAFETY: `first` came from this UMEM, and no other reference into it exists yet.
        let headroom_end = unsafe { umem.data(first) }.contents().as_ptr().addr();
        // The first frame's data starts behind its headroom; the chunk starts where its address says 0. The memory
        // was mapped by the kernel and its address given to the kernel, so its provenance is exposed.
        let base = std::ptr::with_exposed_provenance_mut(headroom_end - first.addr());
        let base = NonNull::new(base).ok_or(ArenaError::ChunkCount(chunk_count))?;
        let anchor = anchor(&umem).map_err(anchor_error)?;
        Self::build(base, chunk_count, Some(Registered { umem, _anchor: anchor }))
    }

    /// Frames in ordinary memory, for tests and benches: everything but sockets works with them.
    ///
    /// # Errors
    /// [`ArenaError`].
    pub fn heap(chunk_count: usize) -> Result<&'static Self, ArenaError> {
        checked(chunk_count)?;
        let memory = Box::leak(vec![0_u8; chunk_count * CHUNK_BYTES].into_boxed_slice());
        Self::build(NonNull::from(memory).cast(), chunk_count, None)
    }

    fn build(
        base: NonNull<u8>,
        chunk_count: usize,
        umem: Option<Registered>,
    ) -> Result<&'static Self, ArenaError> {
        let free = ArrayQueue::new(chunk_count);
        for index in 0..chunk_count {
            let index = u32::try_from(index).map_err(|_| ArenaError::ChunkCount(chunk_count))?;
            free.push(index).map_err(|_| ArenaError::ChunkCount(chunk_count))?;
        }
        let places = (0..chunk_count).map(|_| AtomicU16::new(Place::FREE.0)).collect();
        let rests = (0..chunk_count).map(|_| AtomicU64::new(0)).collect();
        let layout = DescriptorLayout::probe().ok_or(ArenaError::DescriptorLayout)?;
        Ok(Box::leak(Box::new(Self { base, places, rests, free, umem, layout })))
    }

    /// The number of frames there are, wherever they be. Never changes.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.places.len()
    }

    /// The number of frames that no pool, ring or hand holds.
    #[must_use]
    pub fn free_chunk_count(&self) -> usize {
        self.free.len()
    }

    /// Counts the chunks in each place. While frames move it is a picture taken over some microseconds, but it counts
    /// each chunk exactly once.
    #[must_use]
    pub fn census(&self) -> ArenaCensus {
        let mut census = ArenaCensus::default();
        for place in &self.places {
            match Place(place.load(Ordering::Relaxed)) {
                Place::FREE => census.free += 1,
                Place::HELD => census.held += 1,
                Place(ring) if ring % 2 == 0 => census.receiving += 1,
                Place(_) => census.transmitting += 1,
            }
        }
        census
    }

    /// Takes a free frame; `None` when there is none. Slower than a [`ChunkPool`](super::ChunkPool).
    #[must_use]
    pub fn take(&'static self) -> Option<Frame> {
        let index = self.free.pop()?;
        self.claim(index, Place::FREE, HEADROOM_BYTES, 0)
    }

    /// Turns chunk `index` back into a [`Frame`] if it is at `from`. `None` means that whoever named the chunk does
    /// not hold it, or that the frame would not lie in its chunk.
    #[inline]
    pub(super) fn claim(&'static self, index: u32, from: Place, start: usize, len: usize) -> Option<Frame> {
        let place = self.places.get(index as usize)?;
        if place.load(Ordering::Relaxed) != from.0 || start + len > CHUNK_BYTES {
            return None;
        }
        place.store(Place::HELD.0, Ordering::Relaxed);
        // SAFETY: the entry said that the chunk was at `from`, and the caller is who takes chunks from there, so no
        // `Frame` for it existed; from now on the entry says HELD, so no second one will be made.
        Some(unsafe { Frame::new(self, index, start, len) })
    }

    /// Records that the chunk of a frame, which its holder gives up, is now at `to`.
    #[inline]
    pub(super) fn surrender(&self, index: u32, to: Place) {
        if let Some(place) = self.places.get(index as usize) {
            place.store(to.0, Ordering::Relaxed);
        }
    }

    /// Where the frame goes on behind chunk `index`, which it holds.
    #[inline]
    pub(super) fn rest_of(&self, index: u32) -> Span {
        Span(self.rests.get(index as usize).map_or(0, |rest| rest.load(Ordering::Relaxed)))
    }

    /// Records where the frame goes on behind chunk `index`, which it holds.
    pub(super) fn set_rest(&self, index: u32, rest: Span) {
        if let Some(entry) = self.rests.get(index as usize) {
            entry.store(rest.0, Ordering::Relaxed);
        }
    }

    /// Puts the chunk of a frame, which its holder gives up, among the free ones.
    pub(super) fn release(&self, index: u32) {
        self.surrender(index, Place::FREE);
        let pushed = self.free.push(index);
        debug_assert!(pushed.is_ok(), "there is room for every chunk, and each is in there once");
    }

    /// Brings home every chunk that is at `from`: the frames of a closed socket.
    pub(super) fn reclaim(&'static self, from: Place) {
        for (index, place) in (0_u32..).zip(&self.places) {
            if place.load(Ordering::Relaxed) == from.0 {
                self.release(index);
            }
        }
    }

    /// Where the data of `span` starts.
    #[inline]
    pub(super) fn data(&self, span: Span) -> NonNull<u8> {
        debug_assert!((span.index() as usize) < self.places.len());
        // SAFETY: frames are made for indexes below `chunk_count` only, and that many chunks lie behind `base`. A span starts
        // at most CHUNK_BYTES into its chunk (kept by every method of a frame), so in it or just behind it.
        unsafe { self.base.add(span.address()) }
    }

    pub(super) const fn layout(&self) -> DescriptorLayout {
        self.layout
    }

    pub(super) const fn umem_handle(&self) -> Option<&Umem> {
        match &self.umem {
            Some(registered) => Some(&registered.umem),
            None => None,
        }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered").field(&self.umem).finish()
    }
}

/// The first socket of `umem`, with no frames in its rings and no program that would send it any.
#[allow(clippy::type_complexity, reason = "the queues as xsk-rs returns them; nobody uses them")]
fn anchor(umem: &Umem) -> std::io::Result<(TxQueue, RxQueue, Option<(FillQueue, CompQueue)>)> {
    let config = SocketConfig::builder()
        .rx_queue_size(ring_size(1)?)
        .tx_queue_size(ring_size(1)?)
        // The others take over what it says here: that a frame may come, and go, in several chunks.
        .bind_flags(BindFlags::XDP_COPY | BindFlags::XDP_USE_SG)
        .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
        .build();
    let device = Interface::new(CString::new(ANCHOR_DEVICE)?);
    // SAFETY: the UMEM is not shared yet, and the flag to load no program is set.
    unsafe { xsk_rs::Socket::new(config, umem, &device, 0) }.map_err(|error| root_cause(&error))
}

fn umem_advice(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; it takes CAP_NET_RAW: run as root or give that capability",
        Some(libc::ENOBUFS) => {
            "; that is over the limit of locked memory (`ulimit -l`): raise it, give CAP_IPC_LOCK, or ask for less with umem_mib"
        }
        _ => "",
    }
}

fn anchor_error(source: std::io::Error) -> ArenaError {
    // The kernel's answer to a flag that it does not know; nothing else about this socket can be wrong.
    if source.raw_os_error() == Some(libc::EINVAL) {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        return ArenaError::Kernel { release };
    }
    ArenaError::Anchor { source }
}

fn anchor_advice(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY) => "; another switch runs in this network namespace: stop it first",
        Some(libc::ENETDOWN) => "; switch it on with `ip link set lo up`",
        _ => "",
    }
}

fn checked(chunk_count: usize) -> Result<NonZeroU32, ArenaError> {
    u32::try_from(chunk_count)
        .ok()
        .filter(|count| *count <= u32::MAX / 2)
        .and_then(NonZeroU32::new)
        .ok_or(ArenaError::ChunkCount(chunk_count))
}

fn frame_size() -> std::io::Result<FrameSize> {
    FrameSize::try_from(CHUNK_BYTES as u32).map_err(|error| std::io::Error::other(error.to_string()))
}

/// The size of a ring of `frames` descriptors, a power of two.
pub(super) fn ring_size(frames: usize) -> std::io::Result<QueueSize> {
    QueueSize::try_from(frames as u32).map_err(|error| std::io::Error::other(error.to_string()))
}

/// The system's error below one of xsk-rs, or what xsk-rs said where there is none.
pub(super) fn root_cause(error: &dyn std::error::Error) -> std::io::Error {
    let code = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .and_then(std::io::Error::raw_os_error);
    code.map_or_else(|| std::io::Error::other(error.to_string()), std::io::Error::from_raw_os_error)
}
