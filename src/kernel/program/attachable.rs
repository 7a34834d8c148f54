//! Programs that may be attached.
//!
//! The kernel notes the address of a device-bound program before it verifies it (`kernel/bpf/offload.c`). When the
//! verifier's rewriting makes the program outgrow its last page, the program moves and the note dangles: the removal of the
//! device, or of its network namespace, under the live program is a page fault under RTNL, which ends all network
//! configuration of the host until it is rebooted. A program that fits one page before and after cannot move.
//! `bpf/README.md` has the whole rule.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libbpf_rs::libbpf_sys::{self, bpf_insn, bpf_prog_info};

/// Bytes of instructions that fit one page: the kernel's `struct bpf_prog` in front of them takes less than 100 bytes in
/// every release from 6.1 to 6.18, and other page sizes than the smallest only leave more room.
pub(super) const PAGE_BOUND_BYTES: usize = 4096 - 256;

/// A loaded program that can be attached: not bound to a device, or one that the kernel cannot have moved.
#[derive(Debug)]
pub(in crate::kernel) struct AttachableProgram(OwnedFd);

/// A device-bound program that must not be attached.
#[derive(Debug, thiserror::Error)]
pub enum PageBoundError {
    /// It is too long.
    #[error(
        "the XDP program has {loaded_bytes} bytes and {verified_bytes} after verification: more than {PAGE_BOUND_BYTES} of a program that is bound to a device can crash the kernel when the device goes, so it is not attached -> report it, with the kernel's release"
    )]
    TooLong {
        /// Bytes as handed to the kernel.
        loaded_bytes: usize,
        /// Bytes after verification.
        verified_bytes: usize,
    },
    /// The kernel does not say how long it is.
    #[error(
        "the kernel does not say how long the XDP program is after verification: {0}; it is not attached -> run with CAP_BPF"
    )]
    Unknown(io::Error),
}

impl AttachableProgram {
    /// A program without a device.
    pub(super) const fn unbound(program: OwnedFd) -> Self {
        Self(program)
    }

    /// A program that was loaded for a device from so many instructions.
    ///
    /// # Errors
    /// [`PageBoundError`]; the program is unloaded then.
    pub(super) fn bound(program: OwnedFd, instructions: usize) -> Result<Self, PageBoundError> {
        let verified_bytes = verified_bytes(&program).map_err(PageBoundError::Unknown)?;
        check(instructions * size_of::<bpf_insn>(), verified_bytes)?;
        Ok(Self(program))
    }
}

impl AsRawFd for AttachableProgram {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Whether a program of this length can be bound to a device.
pub(super) const fn check(loaded_bytes: usize, verified_bytes: usize) -> Result<(), PageBoundError> {
    if loaded_bytes > PAGE_BOUND_BYTES || verified_bytes > PAGE_BOUND_BYTES {
        return Err(PageBoundError::TooLong { loaded_bytes, verified_bytes });
    }
    Ok(())
}

/// The length of a program after verification (`xlated_prog_len`); never 0.
pub(super) fn verified_bytes(program: &impl AsRawFd) -> io::Result<usize> {
    let (mut info, mut size) = (bpf_prog_info::default(), size_of::<bpf_prog_info>() as u32);
    // SAFETY: `info` lives through the call, and `size` says how much of it may be written.
    let answer =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut size) };
    if answer < 0 {
        return Err(io::Error::from_raw_os_error(-answer));
    }
    match info.xlated_prog_len {
        0 => Err(io::ErrorKind::PermissionDenied.into()),
        bytes => Ok(bytes as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_length_over_the_bound_is_refused_with_both() {
        assert!(check(PAGE_BOUND_BYTES, PAGE_BOUND_BYTES).is_ok());
        // What crashed 6.12.117 and 6.18.44: a program of one page that becomes one of two.
        for (loaded, verified) in [(3128, 4088), (463 * 8, 709 * 8), (PAGE_BOUND_BYTES + 8, 100)] {
            let error = check(loaded, verified).unwrap_err().to_string();
            assert!(error.contains(&format!("{loaded} bytes and {verified} after")), "{error}");
        }
    }
}
