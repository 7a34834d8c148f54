//! Registration of the UMEM with the kernel, and its first socket.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::ptr::NonNull;

use xsk_rs::config::{BindFlags, FrameSize, Interface, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, TxQueue, Umem};

use super::error::ArenaError;
use super::sizes::{CHUNK_BYTES, RECEIVE_RING_SIZE, TRANSMIT_RING_SIZE};

/// The link that the UMEM's own socket is bound to; the message of [`ArenaError::Anchor`] names it.
const ANCHOR_LINK: &str = "lo";

/// A UMEM that further sockets can share.
///
/// The kernel lets a socket share a UMEM only while the UMEM's own socket is bound, and unbinds that one
/// permanently when its link is removed. The UMEM's own socket is therefore bound to the one link that cannot
/// be removed, and carries no frames.
pub(super) struct SharedUmem {
    umem: Umem,
    _anchor: Rings,
}

/// The rings of a socket, as xsk-rs returns them.
type Rings = (TxQueue, RxQueue, Option<(FillQueue, CompQueue)>);

impl SharedUmem {
    /// Registers `chunk_count` chunks. Returns the UMEM and the address of its first byte.
    ///
    /// # Errors
    /// [`ArenaError`]; the kernel rejects it without `CAP_NET_RAW`, or over the limit of locked memory
    /// without `CAP_IPC_LOCK`.
    pub(super) fn register(chunk_count: NonZeroU32) -> Result<(Self, NonNull<u8>), ArenaError> {
        let mib = (chunk_count.get() as usize * CHUNK_BYTES) >> 20;
        let failed = |source: io::Error| ArenaError::Umem { mib, source };
        let config = UmemConfig::builder()
            .frame_size(frame_size().map_err(failed)?)
            .fill_queue_size(ring_size(RECEIVE_RING_SIZE).map_err(failed)?)
            .comp_queue_size(ring_size(TRANSMIT_RING_SIZE).map_err(failed)?)
            .build()
            .map_err(|error| failed(io::Error::other(error.to_string())))?;
        // Huge pages where some are reserved: they are mapped sooner, and cost fewer TLB misses.
        let umem = Umem::new(config, chunk_count, true).or_else(|_| Umem::new(config, chunk_count, false));
        let (umem, descriptors) = umem.map_err(|error| failed(root_cause(&error)))?;
        let count = || ArenaError::ChunkCount(chunk_count.get() as usize);
        let base = base_of(&umem, &descriptors).ok_or_else(count)?;
        let anchor = anchor(&umem).map_err(anchor_error)?;
        Ok((Self { umem, _anchor: anchor }, base))
    }

    pub(super) const fn handle(&self) -> &Umem {
        &self.umem
    }
}

impl fmt::Debug for SharedUmem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedUmem").field(&self.umem).finish()
    }
}

/// Opens the first socket of `umem`, with no chunks in its rings and no XDP program that redirects to it.
fn anchor(umem: &Umem) -> io::Result<Rings> {
    let config = SocketConfig::builder()
        .rx_queue_size(ring_size(1)?)
        .tx_queue_size(ring_size(1)?)
        // Every further socket inherits from these flags that a frame may have several chunks.
        .bind_flags(BindFlags::XDP_COPY | BindFlags::XDP_USE_SG)
        .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
        .build();
    let link = Interface::new(CString::new(ANCHOR_LINK)?);
    // SAFETY: the UMEM is not shared yet, and the flag to load no program is set.
    unsafe { xsk_rs::Socket::new(config, umem, &link, 0) }.map_err(|error| root_cause(&error))
}

fn anchor_error(source: io::Error) -> ArenaError {
    // The kernel's error for an unknown flag; nothing else about this socket can be invalid.
    if source.raw_os_error() == Some(libc::EINVAL) {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        return ArenaError::Kernel { release };
    }
    ArenaError::Anchor { source }
}

/// The address of the first byte of a UMEM that is registered but not in use, with its descriptors.
pub(super) fn base_of(umem: &Umem, descriptors: &[FrameDesc]) -> Option<NonNull<u8>> {
    let first = descriptors.first()?;
    // SAFETY: `first` is a descriptor of this UMEM, and no other reference into it exists yet.
    let headroom_end = unsafe { umem.data(first) }.contents().as_ptr().addr();
    // The data of the first chunk starts after its headroom; address 0 is the start of the chunk. The memory
    // was mapped by the kernel and its address given to the kernel, so its provenance is exposed.
    NonNull::new(std::ptr::with_exposed_provenance_mut(headroom_end - first.addr()))
}

fn frame_size() -> io::Result<FrameSize> {
    FrameSize::try_from(CHUNK_BYTES as u32).map_err(|error| io::Error::other(error.to_string()))
}

/// Converts a number of descriptors, which must be a power of two.
pub(super) fn ring_size(descriptors: usize) -> io::Result<QueueSize> {
    QueueSize::try_from(descriptors as u32).map_err(|error| io::Error::other(error.to_string()))
}

/// The system's error below an error of xsk-rs, or the text of the latter where there is none.
pub(super) fn root_cause(error: &dyn std::error::Error) -> io::Error {
    let code = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .and_then(io::Error::raw_os_error);
    code.map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}
