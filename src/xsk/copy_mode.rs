//! The mode that the proofs of the arena depend on.
//!
//! In copy mode the kernel copies a frame between a chunk and memory of its own within a system call or a
//! softirq, so a closed socket leaves no chunk in use by a NIC. In zero-copy mode a NIC reads and writes
//! chunks by DMA, also some time after the socket was closed: those are no chunks of the arena
//! ([`NicMemory`](super::nic_memory::NicMemory)).

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

use serde::{Deserialize, Serialize};

/// How the kernel moves frames between a link and the chunks of a socket (`XDP_OPTIONS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketMode {
    /// The kernel copies them.
    Copy,
    /// The NIC reads and writes the chunks by DMA.
    ZeroCopy,
}

impl SocketMode {
    /// The name for views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::ZeroCopy => "zero-copy",
        }
    }
}

/// Queries the mode of a bound socket (`Documentation/networking/af_xdp.rst`).
///
/// # Errors
/// The error of `getsockopt`.
pub(super) fn mode_of(socket: &impl AsRawFd) -> io::Result<SocketMode> {
    let mut options = libc::xdp_options { flags: 0 };
    let mut len = size_of::<libc::xdp_options>() as libc::socklen_t;
    // SAFETY: `options` and `len` outlive the call, and `len` is the number of bytes that may be written.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            libc::XDP_OPTIONS,
            (&raw mut options).cast(),
            &raw mut len,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_zero_copy = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
    Ok(if is_zero_copy { SocketMode::ZeroCopy } else { SocketMode::Copy })
}

/// Evidence that a bound socket is in copy mode. Without a value of this type no chunk is taken back from a
/// ring that the kernel may still use ([`Arena::reclaim`](super::Arena::reclaim)).
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyMode(());

impl CopyMode {
    /// Checks the mode of a bound socket.
    ///
    /// # Errors
    /// The error of `getsockopt`, or `Unsupported` for a socket in zero-copy mode.
    pub(super) fn of(socket: &impl AsRawFd) -> io::Result<Self> {
        match mode_of(socket)? {
            SocketMode::Copy => Ok(Self(())),
            SocketMode::ZeroCopy => {
                let reason = "the kernel opened it in zero-copy mode although copy mode was requested";
                Err(io::Error::new(io::ErrorKind::Unsupported, reason))
            }
        }
    }

    /// For places without a socket: the kernel uses no chunk of an arena in ordinary memory.
    #[cfg(test)]
    pub(super) const fn without_socket() -> Self {
        Self(())
    }
}
