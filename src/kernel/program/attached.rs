//! Whether a program is still attached: the kernel sends no notification when another process detaches it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::kernel::bpf_link::{BpfLink, BpfLinkInfo};
use crate::kernel::inspect;
use crate::types::IfIndex;

/// What was recorded of a program when it was attached, and its `bpf_link`.
#[derive(Debug, Clone)]
pub struct AttachedProgram {
    pub(super) bpf_link: Arc<BpfLink>,
    pub(super) ifindex: IfIndex,
    pub(super) program_id: u32,
    /// Path of the pin of `bpf_link`.
    pub(super) pin: Option<PathBuf>,
}

/// How the state of a link differs from the record.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum ProgramChange {
    /// The program was detached, as by `bpftool link detach`.
    #[error(
        "its XDP program was taken off the link by another process, and its frames met the host's own stack"
    )]
    Detached,
    /// Another program was put into the `bpf_link` (`BPF_LINK_UPDATE`). `holder` is its name and process, as
    /// far as they are visible.
    #[error("its XDP program was replaced by program {program_id} ({holder})")]
    Replaced { program_id: u32, holder: String },
    /// The file of the pin was removed.
    #[error("the pin {path} of its XDP program was removed", path = path.display())]
    Unpinned { path: PathBuf },
    /// The state of the `bpf_link` or of its pin cannot be read.
    #[error("the kernel does not report whether the XDP program is attached to the link: {0}")]
    Unknown(#[source] io::Error),
}

impl AttachedProgram {
    /// The link that it was attached to.
    #[must_use]
    pub const fn ifindex(&self) -> IfIndex {
        self.ifindex
    }

    /// Compares the state of the link with the record. May wait for the RTNL lock.
    ///
    /// While the `bpf_link` is attached, no process can attach another program, or this one in another mode.
    ///
    /// # Errors
    /// The first difference that is found.
    pub fn verify(&self) -> Result<(), ProgramChange> {
        let BpfLinkInfo { program_id, ifindex } = self.bpf_link.info().map_err(ProgramChange::Unknown)?;
        if ifindex.is_none() && !inspect::link_exists(self.ifindex) {
            // The link was removed, which rtnetlink reports.
            return Ok(());
        }
        if ifindex.is_none() {
            return Err(ProgramChange::Detached);
        }
        if program_id != self.program_id {
            let holder = inspect::owner_of(program_id).to_string();
            return Err(ProgramChange::Replaced { program_id, holder });
        }
        match self.pin.as_deref().map(pin_exists) {
            Some(Ok(false)) => Err(ProgramChange::Unpinned { path: self.pin.clone().unwrap_or_default() }),
            Some(Err(error)) => Err(ProgramChange::Unknown(error)),
            Some(Ok(true)) | None => Ok(()),
        }
    }
}

fn pin_exists(pin: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(pin) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
