//! What is pinned, whoever did it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{PinError, folder_of, is_bpffs, is_on, own_folder, pin_in};
use crate::kernel::program::BpfLink;
use crate::types::IfIndex;

/// A pinned link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPin {
    /// Where.
    pub path: PathBuf,
    /// The device that it was made for, in the network namespace that its folder names.
    pub ifindex: IfIndex,
    /// What it is good for.
    pub state: PinState,
    /// Whether a running switch has it.
    pub is_in_use: bool,
}

/// What a pin is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// Its program is on the device of our network namespace.
    Here,
    /// Its program is on a device of another network namespace.
    Elsewhere,
    /// Its device is gone.
    Stale,
}

/// What became of a pin that was to go.
#[derive(Debug)]
pub struct Cleaned {
    /// The pin.
    pub pin: FoundPin,
    /// Why it is still there.
    pub outcome: Result<(), CleanError>,
}

/// Why a pin is left.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// A daemon has the folder.
    #[error("a running switch has it")]
    InUse,
    /// It is for those over there to decide.
    #[error("its device is in another network namespace")]
    Elsewhere,
    /// The file system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The pins below `root`, of every network namespace; none where there is no bpffs.
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
        let is_in_use = folder_of(&folder).is_ok_and(|folder| is_locked(&folder));
        for device in devices_in(&folder) {
            let path = pin_in(&folder, device);
            let link =
                BpfLink::pinned_at(&path).map_err(|source| PinError::Io { path: path.clone(), source })?;
            let state = match link.info() {
                Ok(info) if info.device.is_none() => PinState::Stale,
                Ok(_) if folder == own && is_on(&link, device) => PinState::Here,
                Ok(_) => PinState::Elsewhere,
                Err(source) => return Err(PinError::Io { path, source }),
            };
            found.push(FoundPin { path, ifindex: device, state, is_in_use });
        }
    }
    Ok(found)
}

/// Removes the pins of our network namespace, unless a daemon has them, and stale ones of any.
///
/// # Errors
/// [`PinError::Io`] when they cannot be read.
pub fn clean_pins(root: &Path) -> Result<Vec<Cleaned>, PinError> {
    let own = own_folder(root)?;
    let pins = find_pins(root)?;
    // Held until all is done, so that no switch adopts what is about to go.
    let lock = folder_of(&own).ok();
    let in_use = lock.as_ref().is_some_and(is_locked);
    let clean = |pin: FoundPin| {
        let outcome = match pin.state {
            PinState::Here | PinState::Elsewhere if !pin.path.starts_with(&own) => Err(CleanError::Elsewhere),
            PinState::Here | PinState::Elsewhere if in_use => Err(CleanError::InUse),
            PinState::Here | PinState::Elsewhere | PinState::Stale => {
                take_off(&pin.path).map_err(CleanError::Io)
            }
        };
        Cleaned { pin, outcome }
    };
    Ok(pins.into_iter().map(clean).collect())
}

/// Takes a program off its device, if it has one still, and removes its pin.
pub(super) fn take_off(pin: &Path) -> io::Result<()> {
    BpfLink::pinned_at(pin)?.detach()?;
    fs::remove_file(pin)
}

/// Removes stale pins, and the folders that nobody uses any more.
pub(super) fn sweep(root: &Path) -> io::Result<()> {
    for folder in folders_in(root)? {
        let is_stale = |path: &Path| {
            BpfLink::pinned_at(path).and_then(|link| link.info()).is_ok_and(|info| info.device.is_none())
        };
        let paths = devices_in(&folder).into_iter().map(|device| pin_in(&folder, device));
        for path in paths.filter(|path| is_stale(path)) {
            tracing::info!(pin = %path.display(), "stale pin removed: its device is gone");
            super::remove(&path);
        }
        let unused = |folder: &Path| {
            let lock = folder_of(folder)?;
            if is_locked(&lock) { Ok(()) } else { fs::remove_dir(folder) }
        };
        // One with a pin in it stays: that is a failure, and meant.
        unused(&folder).unwrap_or_default();
    }
    Ok(())
}

/// Whether a switch holds a folder; if not, it is locked from now on.
fn is_locked(folder: &OwnedFd) -> bool {
    flock(folder, FlockOperation::NonBlockingLockExclusive).is_err()
}

fn folders_in(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name().to_string_lossy().starts_with("net-") {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// The devices with a pin in the folder of a network namespace.
pub(super) fn devices_in(folder: &Path) -> Vec<IfIndex> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut devices: Vec<_> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(IfIndex::new)).collect();
    devices.sort_unstable();
    devices
}
