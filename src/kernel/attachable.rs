//! Programs that may be attached.
//!
//! The kernel stores the address of a device-bound program before it verifies it (`kernel/bpf/offload.c`).
//! When the verifier's rewriting makes the program outgrow its last page, the program moves and the stored
//! address dangles: the removal of the link, or of its network namespace, under the attached program is a
//! page fault under RTNL, and every change of the host's network configuration hangs until the host is
//! rebooted. A program that fits one page before and after verification cannot move. `bpf/README.md` has the
//! whole rule.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libbpf_rs::libbpf_sys::{self, bpf_insn, bpf_prog_info};

/// Bytes of instructions that fit one page: the kernel's `struct bpf_prog` before them takes less than 100
/// bytes in every release from 6.1 to 6.18, and other page sizes than the smallest only leave more room.
const PAGE_BOUND_BYTES: usize = 4096 - 256;

/// A loaded program that can be attached: not bound to a link, or one that the kernel cannot have moved.
#[derive(Debug)]
pub(super) struct AttachableProgram(OwnedFd);

/// Why a device-bound program must not be attached.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum PageBoundError {
    /// One of the two lengths, as loaded and after verification, is over the bound.
    #[error(
        "the XDP program has {loaded_bytes} bytes and {verified_bytes} after verification: more than {PAGE_BOUND_BYTES} of a program that is bound to a link can crash the kernel when the link is removed, so it is not attached -> report it, with the kernel's release"
    )]
    TooLong { loaded_bytes: usize, verified_bytes: usize },
    /// The kernel does not report the length after verification.
    #[error(
        "the kernel does not report the length of the XDP program after verification: {0}; it is not attached -> run with CAP_BPF"
    )]
    Unknown(io::Error),
}

impl AttachableProgram {
    /// Wraps a program that is bound to no link.
    pub(super) const fn unbound(program: OwnedFd) -> Self {
        Self(program)
    }

    /// Checks a program that was loaded for a link, from `instructions` instructions.
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

/// Compares both lengths of a bound program with the bound.
pub(super) const fn check(loaded_bytes: usize, verified_bytes: usize) -> Result<(), PageBoundError> {
    if loaded_bytes > PAGE_BOUND_BYTES || verified_bytes > PAGE_BOUND_BYTES {
        return Err(PageBoundError::TooLong { loaded_bytes, verified_bytes });
    }
    Ok(())
}

/// The length of a program after verification (`xlated_prog_len`); never 0.
pub(super) fn verified_bytes(program: &impl AsRawFd) -> io::Result<usize> {
    let (mut info, mut size) = (bpf_prog_info::default(), size_of::<bpf_prog_info>() as u32);
    // SAFETY: `info` and `size` outlive the call, and `size` is the number of bytes that may be written.
    let result =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut size) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
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
    fn either_length_over_the_bound_is_rejected_with_both() {
        assert!(check(PAGE_BOUND_BYTES, PAGE_BOUND_BYTES).is_ok());
        // What crashed 6.12.117 and 6.18.44: a program of one page that becomes one of two.
        for (loaded, verified) in [(3128, 4088), (463 * 8, 709 * 8), (PAGE_BOUND_BYTES + 8, 100)] {
            let error = check(loaded, verified).unwrap_err().to_string();
            assert!(error.contains(&format!("{loaded} bytes and {verified} after")), "{error}");
        }
    }
}
