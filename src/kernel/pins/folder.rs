//! The layout of the pin folder, and operations on single pins.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

use super::error::PinError;
use crate::kernel::bpf_link::BpfLink;
use crate::kernel::inspect;
use crate::types::IfIndex;

/// The folder of this network namespace below the pin folder `root`.
pub(super) fn own_folder(root: &Path) -> Result<PathBuf, PinError> {
    const NAMESPACE: &str = "/proc/thread-self/ns/net";
    let found = fs::metadata(NAMESPACE);
    let namespace = found.map_err(|source| PinError::Io { path: NAMESPACE.into(), source })?;
    Ok(root.join(format!("net-{}", namespace.ino())))
}

/// The folders of all network namespaces below the pin folder `root`.
pub(super) fn folders_in(root: &Path) -> io::Result<Vec<PathBuf>> {
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

/// The pin of a link in the folder of its network namespace.
pub(super) fn pin_of(folder: &Path, ifindex: IfIndex) -> PathBuf {
    folder.join(ifindex.to_string())
}

/// The links with a pin in the folder of a network namespace.
pub(super) fn links_in(folder: &Path) -> Vec<IfIndex> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut links: Vec<_> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(IfIndex::new)).collect();
    links.sort_unstable();
    links
}

/// Opens a folder, to lock it.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Whether the `bpf_link` is on this very link of this network namespace. An index of another namespace can
/// be equal, the id of a program cannot.
pub(super) fn is_on(bpf_link: &BpfLink, ifindex: IfIndex) -> bool {
    let Ok(info) = bpf_link.info() else { return false };
    let attached = inspect::xdp(ifindex).ok().and_then(|xdp| xdp.attached);
    info.ifindex == Some(ifindex) && attached.is_some_and(|attached| attached.program_id == info.program_id)
}

/// Removes a pin, if it exists. Its program is detached unless another process has a descriptor of the
/// `bpf_link`.
pub(in crate::kernel) fn remove_pin(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove the pin {}: {error}", path.display());
        }
        _ => {}
    }
}

/// Detaches the program of a pin from its link, if the link exists, and removes the pin.
pub(super) fn detach_pin(pin: &Path) -> io::Result<()> {
    BpfLink::pinned_at(pin)?.detach()?;
    fs::remove_file(pin)
}
