//! All pins below the pin folder, of any network namespace and process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::bpffs::is_bpffs;
use super::error::PinError;
use super::folder::{detach_pin, folders_in, is_on, links_in, open_folder, own_folder, pin_of, remove_pin};
use crate::kernel::bpf_link::BpfLink;
use crate::types::IfIndex;

/// A pinned `bpf_link`, found below the pin folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPin {
    /// The file in the bpffs.
    pub path: PathBuf,
    /// The link that it was pinned for, in the network namespace that its folder names.
    pub ifindex: IfIndex,
    /// Where its program is attached.
    pub state: PinState,
    /// Whether a running switch has the folder locked.
    pub is_in_use: bool,
}

/// Where the program of a pin is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// On the link of this network namespace.
    Here,
    /// On a link of another network namespace.
    Elsewhere,
    /// Nowhere: the link was removed.
    Stale,
}

/// The outcome of the removal of a pin.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names describe the fields")]
pub struct Cleaned {
    pub pin: FoundPin,
    pub outcome: Result<(), CleanError>,
}

/// Why a pin was not removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// A daemon has the folder locked.
    #[error("a running switch uses it")]
    InUse,
    /// The pin belongs to the switch of that network namespace.
    #[error("its link is in another network namespace")]
    Elsewhere,
    /// The program cannot be detached, or the file not removed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Finds the pins below `root`, of every network namespace; none where there is no bpffs.
///
/// # Errors
/// [`PinError::Io`] when they cannot be read.
pub fn find_pins(root: &Path) -> Result<Vec<FoundPin>, PinError> {
    let failed = |source| PinError::Io { path: root.to_owned(), source };
    if !is_bpffs(root) || !root.try_exists().map_err(failed)? {
        return Ok(vec![]);
    }
    let own = own_folder(root)?;
    let mut found = Vec::new();
    for folder in folders_in(root).map_err(failed)? {
        let is_in_use = open_folder(&folder).is_ok_and(|folder| is_locked(&folder));
        for ifindex in links_in(&folder) {
            let path = pin_of(&folder, ifindex);
            let bpf_link =
                BpfLink::pinned_at(&path).map_err(|source| PinError::Io { path: path.clone(), source })?;
            let state = match bpf_link.info() {
                Ok(info) if info.ifindex.is_none() => PinState::Stale,
                Ok(_) if folder == own && is_on(&bpf_link, ifindex) => PinState::Here,
                Ok(_) => PinState::Elsewhere,
                Err(source) => return Err(PinError::Io { path, source }),
            };
            found.push(FoundPin { path, ifindex, state, is_in_use });
        }
    }
    Ok(found)
}

/// Removes the pins of this network namespace, unless a daemon has the folder locked, and stale ones of any
/// namespace.
///
/// # Errors
/// [`PinError::Io`] when they cannot be read.
pub fn clean_pins(root: &Path) -> Result<Vec<Cleaned>, PinError> {
    let own = own_folder(root)?;
    let pins = find_pins(root)?;
    // Held until all is done, so that no switch adopts a pin that is about to be removed.
    let lock = open_folder(&own).ok();
    let is_in_use = lock.as_ref().is_some_and(is_locked);
    let clean = |pin: FoundPin| {
        let outcome = match pin.state {
            PinState::Here | PinState::Elsewhere if !pin.path.starts_with(&own) => Err(CleanError::Elsewhere),
            PinState::Here | PinState::Elsewhere if is_in_use => Err(CleanError::InUse),
            PinState::Here | PinState::Elsewhere | PinState::Stale => {
                detach_pin(&pin.path).map_err(CleanError::Io)
            }
        };
        Cleaned { pin, outcome }
    };
    Ok(pins.into_iter().map(clean).collect())
}

/// Removes stale pins, and empty folders that no switch has locked.
pub(super) fn sweep(root: &Path) -> io::Result<()> {
    for folder in folders_in(root)? {
        let is_stale = |path: &Path| {
            BpfLink::pinned_at(path).and_then(|link| link.info()).is_ok_and(|info| info.ifindex.is_none())
        };
        let paths = links_in(&folder).into_iter().map(|ifindex| pin_of(&folder, ifindex));
        for path in paths.filter(|path| is_stale(path)) {
            tracing::info!(pin = %path.display(), "stale pin removed: its link was removed");
            remove_pin(&path);
        }
        let remove_unused = |folder: &Path| {
            let lock = open_folder(folder)?;
            if is_locked(&lock) { Ok(()) } else { fs::remove_dir(folder) }
        };
        // The removal of a folder with a pin in it fails, which is intended.
        remove_unused(&folder).unwrap_or_default();
    }
    Ok(())
}

/// Whether another process has a folder locked; if not, `folder` has the lock from now on.
fn is_locked(folder: &OwnedFd) -> bool {
    flock(folder, FlockOperation::NonBlockingLockExclusive).is_err()
}
