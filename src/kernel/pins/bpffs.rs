//! The file system that pins are files of.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::statfs;
use rustix::mount::{MountFlags, mount};
use rustix::process::{getegid, geteuid, getppid};

use super::error::PinError;
use super::folder::open_folder;
use super::lock::lock;
use crate::kernel::created_paths::CreatedPaths;

/// Mount point of the host's bpffs, as systemd mounts it.
const BPFFS: &str = "/sys/fs/bpf";

/// Type number of a bpffs (`BPF_FS_MAGIC` in `linux/magic.h`).
const BPFFS_MAGIC: i64 = 0xcafe_4a11;

/// Whether `folder` is in a bpffs, or would be if it were created.
#[must_use]
pub fn is_bpffs(folder: &Path) -> bool {
    let found = folder.ancestors().find_map(|folder| statfs(folder).ok());
    found.is_some_and(|found| found.f_type == BPFFS_MAGIC)
}

/// Mounts a bpffs for the pin folder `root`, unless another process was faster.
pub(super) fn mount_bpffs(root: &Path, created: &mut CreatedPaths) -> Result<(), PinError> {
    // In /sys/fs only the kernel creates folders, so the mount point is the folder that exists there.
    let point = if root.starts_with(BPFFS) { Path::new(BPFFS) } else { root };
    let failed = |source| PinError::Mount { point: point.to_owned(), source };
    created.create_folder(point).map_err(failed)?;
    // A second mount would hide the pins of the first. A process that holds the lock for longer than the time
    // limit is not a switch that starts.
    let folder = open_folder(point).map_err(failed)?;
    match lock(&folder) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(failed(error)),
        _ => {}
    }
    if is_bpffs(point) {
        return Ok(());
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = CString::new(format!("mode=0700,uid={},gid={}", geteuid().as_raw(), getegid().as_raw()));
    let options = options.map_err(|error| failed(error.into()))?;
    mount("bpf", point, "bpf", flags, options.as_c_str()).map_err(|error| failed(error.into()))?;
    created.record_mount(point);
    Ok(())
}

/// Whether this process has another mount namespace than its parent, as under `ip netns exec`. Such a
/// namespace ends with the process, and so does every mount in it.
#[must_use]
pub fn is_mount_namespace_temporary() -> bool {
    let of = |process: &str| fs::metadata(format!("/proc/{process}/ns/mnt")).map(|found| found.ino()).ok();
    let parent = getppid().and_then(|parent| of(&parent.as_raw_nonzero().to_string()));
    parent.is_some() && parent != of("self")
}
