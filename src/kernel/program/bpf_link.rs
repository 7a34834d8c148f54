//! What holds a program on a device: a `bpf_link`.
//!
//! It lives as long as somebody has a descriptor of it, or a pin. While it lives nobody else puts a program on the device.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libbpf_rs::libbpf_sys::{self, bpf_link_create_opts, bpf_link_info};

use super::attachable::AttachableProgram;
use crate::types::IfIndex;

/// A program's hold on a device.
#[derive(Debug)]
pub(in crate::kernel) struct BpfLink(OwnedFd);

/// What the kernel says of a [`BpfLink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) struct BpfLinkInfo {
    /// The kernel's number for the program.
    pub(in crate::kernel) program: u32,
    /// The device, as its own network namespace knows it; `None` when it is gone.
    pub(in crate::kernel) device: Option<IfIndex>,
}

impl BpfLink {
    /// Puts `program` on a device, in `mode` (`XDP_FLAGS_*_MODE`). libbpf's own way falls back to generic mode without a
    /// word.
    pub(super) fn attach(program: &AttachableProgram, device: IfIndex, mode: u32) -> io::Result<Self> {
        let options = bpf_link_create_opts {
            sz: size_of::<bpf_link_create_opts>() as libbpf_sys::size_t,
            flags: mode,
            ..bpf_link_create_opts::default()
        };
        let device = device.get().cast_signed();
        // SAFETY: `options` lives through the call and its size is given; the two numbers are just looked up.
        let link = unsafe {
            libbpf_sys::bpf_link_create(program.as_raw_fd(), device, libbpf_sys::BPF_XDP, &raw const options)
        };
        Self::from_answer(link)
    }

    /// The one that is pinned at `path`.
    pub(in crate::kernel) fn pinned_at(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the text lives through the call.
        Self::from_answer(unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) })
    }

    /// Takes a descriptor, or the error in its place.
    fn from_answer(answer: i32) -> io::Result<Self> {
        done(answer)?;
        // SAFETY: the kernel returned a new descriptor, which nobody else knows.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(answer) }))
    }

    /// Lets it live on as a file of a bpffs, with us or without.
    pub(in crate::kernel) fn pin(&self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the text lives through the call; the number is just looked up.
        done(unsafe { libbpf_sys::bpf_obj_pin(self.0.as_raw_fd(), path.as_ptr()) })
    }

    /// Takes the program off the device at once. Without that the kernel does it some time after the last hold is gone.
    pub(in crate::kernel) fn detach(&self) -> io::Result<()> {
        // SAFETY: the number is just looked up.
        done(unsafe { libbpf_sys::bpf_link_detach(self.0.as_raw_fd()) })
    }

    /// Puts `program` in the place of its present one. Every frame meets one of the two.
    pub(super) fn replace(&self, program: &AttachableProgram) -> io::Result<()> {
        // SAFETY: the numbers are just looked up, and no options are allowed.
        done(unsafe {
            libbpf_sys::bpf_link_update(self.0.as_raw_fd(), program.as_raw_fd(), std::ptr::null())
        })
    }

    /// What it holds where.
    pub(in crate::kernel) fn info(&self) -> io::Result<BpfLinkInfo> {
        let (mut info, mut size) = (bpf_link_info::default(), size_of::<bpf_link_info>() as u32);
        // SAFETY: `info` lives through the call, and `size` says how much of it may be written.
        done(unsafe {
            libbpf_sys::bpf_link_get_info_by_fd(self.0.as_raw_fd(), &raw mut info, &raw mut size)
        })?;
        if info.type_ != libbpf_sys::BPF_LINK_TYPE_XDP {
            return Err(io::Error::other("it is no XDP link"));
        }
        // SAFETY: the kernel filled in this variant, as the type says, and any bits are a number.
        let device = unsafe { info.__bindgen_anon_1.xdp.ifindex };
        Ok(BpfLinkInfo { program: info.prog_id, device: IfIndex::new(device) })
    }
}

fn done(answer: i32) -> io::Result<()> {
    if answer < 0 { Err(io::Error::from_raw_os_error(-answer)) } else { Ok(()) }
}
