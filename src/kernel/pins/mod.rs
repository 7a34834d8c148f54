//! Programs that stay attached when this process is killed: their `bpf_link`s are pinned, as files of a
//! bpffs.
//!
//! ```text
//!   /sys/fs/bpf/trunkpath/     the pin folder
//!       net-4026531840/        one per network namespace, named as in `lsns`; locked by its daemon
//!           7                  one for each link, by its index: the bpf_link that keeps its program attached
//! ```
//!
//! When a link is removed, its program is detached and the pin remains without a program: it is *stale*.

mod bpffs;
mod error;
mod folder;
mod inventory;
mod lock;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::bpf_link::BpfLink;
use super::created_paths::CreatedPaths;
use crate::types::IfIndex;

pub use bpffs::{is_bpffs, is_mount_namespace_temporary};
pub use error::PinError;
pub(super) use folder::remove_pin;
pub use inventory::{CleanError, Cleaned, FoundPin, PinState, clean_pins, find_pins};

/// The folder of this network namespace, in a bpffs.
#[derive(Debug)]
pub struct PinFolder {
    root: PathBuf,
    own: PathBuf,
    created: CreatedPaths,
}

impl PinFolder {
    /// Creates the folder below `root`, and mounts a bpffs there if there is none, which takes
    /// `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn prepare(root: &Path) -> Result<Self, PinError> {
        let mut created = CreatedPaths::default();
        if !is_bpffs(root) {
            bpffs::mount_bpffs(root, &mut created)?;
        }
        let own = folder::own_folder(root)?;
        created.create_folder(&own).map_err(|source| PinError::Io { path: own.clone(), source })?;
        Ok(Self { root: root.to_owned(), own, created })
    }

    /// Locks the folder and removes stale pins. Only one switch of the network namespace can hold the lock.
    ///
    /// # Errors
    /// [`PinError::Io`].
    pub fn lock(mut self) -> Result<Pins, PinError> {
        let failed = |source| PinError::Io { path: self.own.clone(), source };
        // A daemon of another network namespace removes folders without a lock, and may have removed this
        // one.
        self.created.create_folder(&self.own).map_err(failed)?;
        let folder = folder::open_folder(&self.own).map_err(failed)?;
        lock::lock(&folder).map_err(failed)?;
        inventory::sweep(&self.root).map_err(failed)?;
        if let Some(point) = self.created.mount_point() {
            tracing::info!("bpffs mounted at {}", point.display());
        }
        Ok(Pins { folder: self.own, _lock: folder, created: self.created })
    }
}

/// The pins of this network namespace, locked by this process.
#[derive(Debug)]
pub struct Pins {
    folder: PathBuf,
    /// Released before `created` is removed: an open folder would keep its mount busy.
    _lock: OwnedFd,
    created: CreatedPaths,
}

impl Pins {
    /// The folder of this network namespace.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the pins end with this process in spite of being pins: this process mounted the bpffs in a
    /// mount namespace of its own, as under `ip netns exec`.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.created.mount_point().is_some() && is_mount_namespace_temporary()
    }

    /// The links that have a pin.
    #[must_use]
    pub fn links(&self) -> Vec<IfIndex> {
        folder::links_in(&self.folder)
    }

    /// The `bpf_link` that an earlier run left on a link, and its pin. A pin of anything else is removed.
    pub(super) fn find(&self, ifindex: IfIndex) -> Option<(BpfLink, PathBuf)> {
        let path = self.path(ifindex);
        let bpf_link = BpfLink::pinned_at(&path).ok()?;
        if folder::is_on(&bpf_link, ifindex) {
            return Some((bpf_link, path));
        }
        tracing::info!(pin = %path.display(), "stale pin removed");
        remove_pin(&path);
        None
    }

    /// Detaches the program of an earlier run from a link that is no port's any longer, and removes its pin.
    pub fn discard(&self, ifindex: IfIndex) {
        let Some((_, pin)) = self.find(ifindex) else { return };
        if let Err(error) = folder::detach_pin(&pin) {
            tracing::warn!("cannot remove the pin {}: {error}", pin.display());
        }
    }

    /// Pins the `bpf_link` of a link. Returns the path of the pin.
    pub(super) fn pin(&self, ifindex: IfIndex, bpf_link: &BpfLink) -> Result<PathBuf, PinError> {
        let path = self.path(ifindex);
        remove_pin(&path);
        bpf_link.pin(&path).map_err(|source| PinError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// Removes all pins and the folder, when the switch is stopped.
    pub fn clear(self) {
        for pin in self.links().into_iter().map(|ifindex| self.path(ifindex)) {
            if let Err(error) = folder::detach_pin(&pin) {
                tracing::warn!("cannot remove the pin {}: {error}", pin.display());
            }
        }
        if let Err(error) = fs::remove_dir(&self.folder) {
            tracing::warn!("cannot remove {}: {error}", self.folder.display());
        }
    }

    fn path(&self, ifindex: IfIndex) -> PathBuf {
        folder::pin_of(&self.folder, ifindex)
    }
}
