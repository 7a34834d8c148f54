//! Opening a socket, in copy mode or in zero-copy mode.

use std::ffi::CString;
use std::io;
use std::mem::size_of_val;
use std::os::fd::AsRawFd;

use xsk_rs::config::{BindFlags, Interface, LibxdpFlags, SocketConfig};
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, TxQueue, Umem};

use super::{Memory, SocketMode, XskSocket};
use crate::types::QueueId;
use crate::xsk::arena::Arena;
use crate::xsk::copy_mode::{CopyMode, mode_of};
use crate::xsk::nic_memory::NicMemory;
use crate::xsk::sizes::{
    BURST_FRAMES, NIC_RECEIVE_RING_SIZE, NIC_TRANSMIT_RING_SIZE, RECEIVE_RING_SIZE, TRANSMIT_RING_SIZE,
};
use crate::xsk::umem::{ring_size, root_cause};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum OpenError {
    /// Another socket is bound to the (link, queue) pair. The kernel releases a pair some time after its
    /// socket was closed.
    #[error("queue {queue} of {link} is bound to another AF_XDP socket (EBUSY)")]
    Busy { link: String, queue: QueueId },
    /// Any other error of the kernel, or a socket in another mode than the requested one.
    #[error("cannot open an AF_XDP socket on queue {queue} of {link}: {source}")]
    Refused { link: String, queue: QueueId, source: io::Error },
}

/// The rings of a bound socket: TX, RX, fill and completion.
type Rings = (TxQueue, RxQueue, FillQueue, CompQueue);

impl XskSocket {
    /// Opens a socket on `queue` of the link named `link`, in copy mode. `id` identifies its chunks in the
    /// arena; no other open socket may have it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(arena: &'static Arena, id: u16, link: &str, queue: QueueId) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Refused { link: link.to_owned(), queue, source };
        let umem = arena.umem_handle().ok_or_else(|| refused(io::Error::other("this arena is no UMEM")))?;
        let sizes = [RECEIVE_RING_SIZE, TRANSMIT_RING_SIZE];
        let flags = BindFlags::XDP_COPY | BindFlags::XDP_USE_NEED_WAKEUP;
        let rings = bind(umem, link, queue, sizes, flags)?;
        let mode = CopyMode::of(rings.1.fd()).map_err(refused)?;
        let socket = Self::new(arena, id, queue, rings, Memory::Arena(mode));
        socket.set_transmit_budget();
        Ok(socket)
    }

    /// The same in zero-copy mode, with a memory of its own. Frames have one chunk, and at most
    /// [`LONGEST_NIC_FRAME_BYTES`](crate::xsk::LONGEST_NIC_FRAME_BYTES) bytes.
    ///
    /// # Errors
    /// [`OpenError`]; `Refused` by a driver that does not have the mode, or not for the present MTU.
    pub fn open_zero_copy(
        arena: &'static Arena,
        id: u16,
        link: &str,
        queue: QueueId,
    ) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Refused { link: link.to_owned(), queue, source };
        let nic = NicMemory::register().map_err(refused)?;
        let sizes = [NIC_RECEIVE_RING_SIZE, NIC_TRANSMIT_RING_SIZE];
        let flags = BindFlags::XDP_ZEROCOPY | BindFlags::XDP_USE_NEED_WAKEUP;
        let rings = bind(nic.umem(), link, queue, sizes, flags)?;
        if mode_of(rings.1.fd()).map_err(refused)? != SocketMode::ZeroCopy {
            return Err(refused(io::ErrorKind::Unsupported.into()));
        }
        let mut socket = Self::new(arena, id, queue, rings, Memory::Nic(Box::new(nic)));
        socket.fill_first();
        Ok(socket)
    }

    fn new(arena: &'static Arena, id: u16, queue: QueueId, rings: Rings, memory: Memory) -> Self {
        let (tx, rx, fill, completion) = rings;
        Self {
            id,
            queue,
            arena,
            memory,
            rx,
            tx,
            fill,
            completion,
            unfinished: None,
            receiving: 0,
            transmitting: 0,
            scratch: Box::new([FrameDesc::default(); BURST_FRAMES]),
        }
    }

    /// Lets one system call transmit a full TX ring instead of 32 frames, on kernels that support it (6.18
    /// and later).
    fn set_transmit_budget(&self) {
        const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
        let budget = TRANSMIT_RING_SIZE as u32;
        // SAFETY: the option value is `budget`, which outlives the call, and its length is given with it. An
        // older kernel returns ENOPROTOOPT, and `kick` makes more calls.
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

/// Opens a socket of `umem` whose RX and TX rings have these sizes.
fn bind(
    umem: &Umem,
    link: &str,
    queue: QueueId,
    [rx_size, tx_size]: [usize; 2],
    flags: BindFlags,
) -> Result<Rings, OpenError> {
    let refused = |source| OpenError::Refused { link: link.to_owned(), queue, source };
    let busy = || OpenError::Busy { link: link.to_owned(), queue };
    let config = SocketConfig::builder()
        .rx_queue_size(ring_size(rx_size).map_err(refused)?)
        .tx_queue_size(ring_size(tx_size).map_err(refused)?)
        .bind_flags(flags)
        .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
        .build();
    let interface = Interface::new(CString::new(link).map_err(|error| refused(error.into()))?);
    // SAFETY: the flag to load no program is set, which is what the contract requires of a shared UMEM.
    let opened = unsafe { xsk_rs::Socket::new(config, umem, &interface, u32::from(queue.0)) };
    let (tx, rx, rings) = opened.map_err(|error| match root_cause(&error) {
        cause if cause.raw_os_error() == Some(libc::EBUSY) => busy(),
        cause => refused(cause),
    })?;
    let (fill, completion) = rings.ok_or_else(busy)?;
    Ok((tx, rx, fill, completion))
}
