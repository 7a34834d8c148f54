//! An attached program with its maps: what the programs of ports and of uplinks have in common.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

use libbpf_rs::{MapCore, MapFlags, MapHandle, libbpf_sys};

use super::attached::AttachedProgram;
use super::counters::ProgramCounters;
use super::error::ProgramError;
use super::loader::Loaded;
use crate::kernel::bpf_link::BpfLink;
use crate::kernel::inspect::{self, XdpMode};
use crate::kernel::pins::remove_pin;
use crate::types::{IfIndex, QueueId};

/// A program that is attached to a link, until the value is dropped; or, with a pin, until
/// [`detach`](Self::detach).
#[derive(Debug)]
pub struct XdpProgram {
    pub(super) attached: AttachedProgram,
    pub(super) mode: XdpMode,
    sockets: MapHandle,
    counters: ProgramCounters,
}

impl XdpProgram {
    /// Records that `object` is attached by `bpf_link`.
    pub(super) fn new(
        bpf_link: BpfLink,
        ifindex: IfIndex,
        pin: Option<PathBuf>,
        object: Loaded,
        mode: XdpMode,
    ) -> Result<Self, ProgramError> {
        let program_id = bpf_link.info().map_err(ProgramError::Attach)?.program_id;
        Ok(Self {
            attached: AttachedProgram { bpf_link: Arc::new(bpf_link), ifindex, program_id, pin },
            mode,
            sockets: object.sockets,
            counters: ProgramCounters::new(object.counters),
        })
    }

    /// Attaches `object` in native mode.
    ///
    /// # Errors
    /// The error of the driver, for [`refusal`].
    pub(super) fn attach_native(object: &Loaded, ifindex: IfIndex) -> io::Result<BpfLink> {
        BpfLink::attach(&object.program, ifindex, libbpf_sys::XDP_FLAGS_DRV_MODE)
    }

    /// Records that the kernel has replaced the program by `object`, atomically.
    pub(super) fn replaced_by(&mut self, object: Loaded) -> Result<(), ProgramError> {
        self.attached.program_id = self.attached.bpf_link.info().map_err(ProgramError::Replace)?.program_id;
        (self.sockets, self.counters) = (object.sockets, ProgramCounters::new(object.counters));
        Ok(())
    }

    /// Detaches the program from the link, and removes its pin.
    pub fn detach(self) {
        let AttachedProgram { bpf_link, ifindex, pin, .. } = self.attached;
        if let Err(error) = bpf_link.detach() {
            tracing::warn!(%ifindex, "cannot take the XDP program off: {error}");
        }
        if let Some(pin) = pin {
            remove_pin(&pin);
        }
    }

    /// The mode that the program is attached in.
    #[must_use]
    pub const fn mode(&self) -> XdpMode {
        self.mode
    }

    /// The record to verify the link against.
    #[must_use]
    pub const fn attached(&self) -> &AttachedProgram {
        &self.attached
    }

    /// Redirects the frames of `queue` to `socket` from now on.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn steer(&self, queue: QueueId, socket: BorrowedFd<'_>) -> Result<(), ProgramError> {
        let key = u32::from(queue.0).to_ne_bytes();
        let value = socket.as_raw_fd().to_ne_bytes();
        self.sockets.update(&key, &value, MapFlags::ANY).map_err(ProgramError::Map)
    }

    /// The counters of the program, until another program replaces it.
    #[must_use]
    pub const fn counters(&self) -> &ProgramCounters {
        &self.counters
    }
}

/// Why a link did not accept a program, for a cause that no other program or mode changes. Otherwise the
/// error of a driver without native XDP, or without it for the present settings of the link.
pub(super) fn refusal(ifindex: IfIndex, native: io::Error) -> Result<io::Error, ProgramError> {
    if let Ok(Some(attached)) = inspect::xdp(ifindex).map(|link| link.attached) {
        let holder = format!("program {} ({})", attached.program_id, inspect::owner_of(attached.program_id));
        return Err(ProgramError::Held { holder });
    }
    match native.raw_os_error() {
        Some(libc::ERANGE) => Err(ProgramError::Mtu),
        Some(libc::ENOSPC) => Err(ProgramError::Queues),
        Some(libc::EOPNOTSUPP | libc::EINVAL) => Ok(native),
        _ => Err(ProgramError::Attach(native)),
    }
}
