//! The kernel object that keeps a program attached to a link: a `bpf_link`.
//!
//! It lives as long as a descriptor of it or a pin exists. While it lives, no other process can attach an XDP
//! program to the link.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libbpf_rs::libbpf_sys::{self, bpf_link_create_opts, bpf_link_info};

use super::attachable::AttachableProgram;
use crate::types::IfIndex;

/// A descriptor of a `bpf_link` of type XDP.
#[derive(Debug)]
pub(super) struct BpfLink(OwnedFd);

/// Program and link of a [`BpfLink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BpfLinkInfo {
    /// Id of the program, as `bpftool prog` prints it.
    pub(super) program_id: u32,
    /// Index in the link's own network namespace; `None` when the link was removed.
    pub(super) ifindex: Option<IfIndex>,
}

impl BpfLink {
    /// Attaches `program` to a link, in `mode` (`XDP_FLAGS_*_MODE`). The equivalent in libbpf falls back to
    /// generic mode silently.
    pub(super) fn attach(program: &AttachableProgram, ifindex: IfIndex, mode: u32) -> io::Result<Self> {
        let options = bpf_link_create_opts {
            sz: size_of::<bpf_link_create_opts>() as libbpf_sys::size_t,
            flags: mode,
            ..bpf_link_create_opts::default()
        };
        let ifindex = ifindex.get().cast_signed();
        // SAFETY: `options` outlives the call and holds its own size; the kernel only looks the two numbers
        // up.
        let link = unsafe {
            libbpf_sys::bpf_link_create(program.as_raw_fd(), ifindex, libbpf_sys::BPF_XDP, &raw const options)
        };
        Self::from_result(link)
    }

    /// Opens the `bpf_link` that is pinned at `path`.
    pub(super) fn pinned_at(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the text outlives the call.
        Self::from_result(unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) })
    }

    /// `result` is a descriptor or a negative error number.
    fn from_result(result: i32) -> io::Result<Self> {
        check(result)?;
        // SAFETY: the kernel returned a new descriptor, which has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(result) }))
    }

    /// Pins it as a file of a bpffs, so that it outlives this process.
    pub(super) fn pin(&self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the text outlives the call; the kernel only looks the number up.
        check(unsafe { libbpf_sys::bpf_obj_pin(self.0.as_raw_fd(), path.as_ptr()) })
    }

    /// Detaches the program immediately. Otherwise the kernel detaches it some time after the last descriptor
    /// and pin are closed.
    pub(super) fn detach(&self) -> io::Result<()> {
        // SAFETY: the kernel only looks the number up.
        check(unsafe { libbpf_sys::bpf_link_detach(self.0.as_raw_fd()) })
    }

    /// Replaces the attached program by `program`, atomically: every frame runs one of the two.
    pub(super) fn replace(&self, program: &AttachableProgram) -> io::Result<()> {
        // SAFETY: the kernel only looks the numbers up, and a null pointer for the options is allowed.
        check(unsafe {
            libbpf_sys::bpf_link_update(self.0.as_raw_fd(), program.as_raw_fd(), std::ptr::null())
        })
    }

    /// Reads which program is attached to which link.
    pub(super) fn info(&self) -> io::Result<BpfLinkInfo> {
        let (mut info, mut size) = (bpf_link_info::default(), size_of::<bpf_link_info>() as u32);
        // SAFETY: `info` and `size` outlive the call, and `size` is the number of bytes that may be written.
        check(unsafe {
            libbpf_sys::bpf_link_get_info_by_fd(self.0.as_raw_fd(), &raw mut info, &raw mut size)
        })?;
        if info.type_ != libbpf_sys::BPF_LINK_TYPE_XDP {
            return Err(io::Error::other("it is no XDP link"));
        }
        // SAFETY: the kernel filled in this variant of the union, as `type_` says, and any bits are a valid
        // number.
        let ifindex = unsafe { info.__bindgen_anon_1.xdp.ifindex };
        Ok(BpfLinkInfo { program_id: info.prog_id, ifindex: IfIndex::new(ifindex) })
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}
