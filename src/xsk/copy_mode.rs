//! The mode that the proofs of this folder depend on.
//!
//! In copy mode the kernel copies a frame between a chunk and memory of its own within a system call or a
//! softirq, so a closed socket leaves no chunk in use by a NIC. In zero-copy mode a NIC may read and write
//! chunks by DMA, and that proof does not hold.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

/// Evidence that a bound socket is in copy mode. Without a value of this type no chunk is taken back from a
/// ring that the kernel may still use ([`Arena::reclaim`](super::Arena::reclaim)).
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyMode(());

impl CopyMode {
    /// Queries the mode of a bound socket (`XDP_OPTIONS`, `Documentation/networking/af_xdp.rst`).
    ///
    /// # Errors
    /// The error of `getsockopt`, or `Unsupported` for a socket in zero-copy mode.
    pub(super) fn of(socket: &impl AsRawFd) -> io::Result<Self> {
        let mut options = libc::xdp_options { flags: libc::XDP_OPTIONS_ZEROCOPY };
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
        if options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0 {
            let reason = "the kernel opened it in zero-copy mode although copy mode was requested";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        Ok(Self(()))
    }

    /// For places without a socket: the kernel uses no chunk of an arena in ordinary memory.
    #[cfg(test)]
    pub(super) const fn without_socket() -> Self {
        Self(())
    }
}
