//! Whether a program is still where it was put: nothing announces that another process took it off.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bpf_link::{BpfLink, BpfLinkInfo};
use crate::kernel::inspect;
use crate::types::IfIndex;

/// What was recorded of a program when it was put on a link, and its hold on the link.
#[derive(Debug, Clone)]
pub struct AttachedProgram {
    pub(super) link: Arc<BpfLink>,
    pub(super) ifindex: IfIndex,
    /// The kernel's number for the program.
    pub(super) program: u32,
    /// Where the hold is pinned.
    pub(super) pin: Option<PathBuf>,
}

/// In what a link differs from the record.
#[derive(Debug, thiserror::Error)]
pub enum ProgramChange {
    /// `bpftool link detach` does that.
    #[error(
        "its XDP program was taken off the link by another process, and its frames met the host's own stack"
    )]
    Detached,
    /// `BPF_LINK_UPDATE` does that.
    #[error("its XDP program was replaced by program {program} ({holder})")]
    Replaced {
        /// The kernel's number for the program that is there.
        program: u32,
        /// Its name and process, as far as the kernel tells.
        holder: String,
    },
    /// Somebody removed the file.
    #[error("the pin {path} of its XDP program was removed", path = path.display())]
    Unpinned {
        /// The pin.
        path: PathBuf,
    },
    /// Nothing is known.
    #[error("the kernel does not say whether its XDP program is on the link: {0}")]
    Unknown(#[source] io::Error),
}

impl AttachedProgram {
    /// The link.
    #[must_use]
    pub const fn ifindex(&self) -> IfIndex {
        self.ifindex
    }

    /// Asks the kernel whether all is as recorded. May wait for the RTNL lock.
    ///
    /// As long as the hold is on the link, nobody can put another program there, or this one in another mode.
    ///
    /// # Errors
    /// The first difference.
    pub fn verify(&self) -> Result<(), ProgramChange> {
        let BpfLinkInfo { program, device } = self.link.info().map_err(ProgramChange::Unknown)?;
        if device.is_none() && !inspect::link_exists(self.ifindex) {
            // The link itself is gone, which is announced.
            return Ok(());
        }
        if device.is_none() {
            return Err(ProgramChange::Detached);
        }
        if program != self.program {
            let holder = inspect::owner_of(program).to_string();
            return Err(ProgramChange::Replaced { program, holder });
        }
        match self.pin.as_deref().map(is_there) {
            Some(Ok(false)) => Err(ProgramChange::Unpinned { path: self.pin.clone().unwrap_or_default() }),
            Some(Err(error)) => Err(ProgramChange::Unknown(error)),
            Some(Ok(true)) | None => Ok(()),
        }
    }
}

fn is_there(pin: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(pin) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
