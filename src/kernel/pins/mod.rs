//! Programs that stay on their devices when this process is killed: their links are pinned, as files of a bpffs.
//!
//! ```text
//!   /sys/fs/bpf/trunkpath/     the pin folder
//!       net-4026531840/        one for each network namespace, by the number that `lsns` shows; locked by its daemon
//!           7                  one for each device, by its index: the link that holds its program
//! ```
//!
//! A device that goes takes its program with it and leaves a pin that holds nothing: that one is stale.

mod inventory;
mod lock;

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, statfs};
use rustix::mount::{MountFlags, mount};
use rustix::process::{getegid, geteuid, getppid};

use super::created_paths::CreatedPaths;
use super::inspect;
use super::program::BpfLink;
use crate::types::IfIndex;
pub use inventory::{CleanError, Cleaned, FoundPin, PinState, clean_pins, find_pins};

/// Where systemd mounts the bpffs of the host.
const BPFFS: &str = "/sys/fs/bpf";

/// `BPF_FS_MAGIC` (`linux/magic.h`).
const BPFFS_MAGIC: i64 = 0xcafe_4a11;

/// Why nothing can be pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no bpffs, and none can be mounted.
    #[error(
        "no bpffs is mounted at {point}, and we cannot do it: {source} (it takes CAP_SYS_ADMIN); `mount -t bpf bpf {point}`, or name a folder of another bpffs with pin_folder",
        point = point.display()
    )]
    Mount {
        /// Where it should be.
        point: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The folder or a file in it is closed to us.
    #[error("cannot use {path}: {source}; the daemon's user must be able to write there", path = path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// The folder for our network namespace, in a bpffs.
#[derive(Debug)]
pub struct PinFolder {
    root: PathBuf,
    own: PathBuf,
    made: CreatedPaths,
}

impl PinFolder {
    /// Makes it below `root`, and mounts a bpffs there if there is none, which takes `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn prepare(root: &Path) -> Result<Self, PinError> {
        let mut made = CreatedPaths::default();
        if !is_bpffs(root) {
            mount_bpffs(mount_point(root), &mut made)?;
        }
        let own = own_folder(root)?;
        made.create_folder(&own).map_err(|source| PinError::Io { path: own.clone(), source })?;
        Ok(Self { root: root.to_owned(), own, made })
    }

    /// Takes possession of it, and removes what is stale. It is for the one switch of this network namespace.
    ///
    /// # Errors
    /// [`PinError::Io`].
    pub fn lock(mut self) -> Result<Pins, PinError> {
        let failed = |source| PinError::Io { path: self.own.clone(), source };
        // A daemon elsewhere may have found it without a lock, and removed it.
        self.made.create_folder(&self.own).map_err(failed)?;
        let folder = folder_of(&self.own).map_err(failed)?;
        lock::lock(&folder).map_err(failed)?;
        inventory::sweep(&self.root).map_err(failed)?;
        if let Some(point) = self.made.mount() {
            tracing::info!("bpffs mounted at {}", point.display());
        }
        Ok(Pins { folder: self.own, _lock: folder, made: self.made })
    }
}

/// The pins of our network namespace, ours as long as this lives.
#[derive(Debug)]
pub struct Pins {
    folder: PathBuf,
    /// Released before what was made is taken away: an open folder keeps its mount.
    _lock: OwnedFd,
    made: CreatedPaths,
}

impl Pins {
    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether they end with this process all the same: the bpffs is one that we mounted in a mount namespace which was
    /// made for us, as `ip netns exec` does.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.made.mount().is_some() && is_mount_namespace_temporary()
    }

    /// The devices that have one.
    #[must_use]
    pub fn devices(&self) -> Vec<IfIndex> {
        inventory::devices_in(&self.folder)
    }

    /// The link that an earlier run left on a device. A pin that holds something else is removed.
    pub(super) fn find(&self, device: IfIndex) -> Option<(BpfLink, PathBuf)> {
        let path = self.path(device);
        let link = BpfLink::pinned_at(&path).ok()?;
        if is_on(&link, device) {
            return Some((link, path));
        }
        tracing::info!(pin = %path.display(), "stale pin removed");
        remove(&path);
        None
    }

    /// Pins the link of a device. Returns where.
    pub(super) fn pin(&self, device: IfIndex, link: &BpfLink) -> Result<PathBuf, PinError> {
        let path = self.path(device);
        remove(&path);
        link.pin(&path).map_err(|source| PinError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// Removes them all, with the folder: a clean end leaves nothing.
    pub fn clear(self) {
        for pin in self.devices().into_iter().map(|device| self.path(device)) {
            if let Err(error) = inventory::take_off(&pin) {
                tracing::warn!("cannot remove the pin {}: {error}", pin.display());
            }
        }
        if let Err(error) = fs::remove_dir(&self.folder) {
            tracing::warn!("cannot remove {}: {error}", self.folder.display());
        }
    }

    fn path(&self, device: IfIndex) -> PathBuf {
        pin_in(&self.folder, device)
    }
}

/// The pin of a device in the folder of its network namespace.
fn pin_in(folder: &Path, device: IfIndex) -> PathBuf {
    folder.join(device.to_string())
}

/// Removes a pin, if it is there. What it holds goes off its device, unless somebody else holds it, too.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove the pin {}: {error}", path.display());
        }
        _ => {}
    }
}

/// Whether the link is on this very device of our network namespace. Indexes of other namespaces look the same, numbers
/// of programs do not.
fn is_on(link: &BpfLink, device: IfIndex) -> bool {
    let Ok(info) = link.info() else { return false };
    let attached = inspect::xdp(device).ok().and_then(|xdp| xdp.attached);
    info.device == Some(device) && attached.is_some_and(|attached| attached.program == info.program)
}

fn own_folder(root: &Path) -> Result<PathBuf, PinError> {
    const NAMESPACE: &str = "/proc/thread-self/ns/net";
    let found = fs::metadata(NAMESPACE);
    let namespace = found.map_err(|source| PinError::Io { path: NAMESPACE.into(), source })?;
    Ok(root.join(format!("net-{}", namespace.ino())))
}

fn folder_of(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Whether `folder` is in a bpffs, or would be if it were made.
#[must_use]
pub fn is_bpffs(folder: &Path) -> bool {
    let found = folder.ancestors().find_map(|folder| statfs(folder).ok());
    found.is_some_and(|found| found.f_type == BPFFS_MAGIC)
}

/// No folder can be made below the one that sysfs has for it.
fn mount_point(root: &Path) -> &Path {
    if root.starts_with(BPFFS) { Path::new(BPFFS) } else { root }
}

/// Mounts a bpffs, unless another process was faster.
fn mount_bpffs(point: &Path, made: &mut CreatedPaths) -> Result<(), PinError> {
    let failed = |source| PinError::Mount { point: point.to_owned(), source };
    made.create_folder(point).map_err(failed)?;
    // A second mount would hide what is pinned in the first. Whoever holds the lock for longer than the wait is no
    // switch that starts.
    let folder = folder_of(point).map_err(failed)?;
    match lock::lock(&folder) {
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
    made.record_mount(point);
    Ok(())
}

/// Whether the mount namespace is not that of the process which started this one, as `ip netns exec` makes one: it ends with
/// this process then, and what is mounted in it, too.
#[must_use]
pub fn is_mount_namespace_temporary() -> bool {
    let of = |process: &str| fs::metadata(format!("/proc/{process}/ns/mnt")).map(|found| found.ino()).ok();
    let parent = getppid().and_then(|parent| of(&parent.as_raw_nonzero().to_string()));
    parent.is_some() && parent != of("self")
}
