//! Why the daemon cannot start, or ends.

use std::io;
use std::path::PathBuf;

use super::links::LinksError;
use super::underlay::UnderlayError;
use crate::api::ListenError;
use crate::config::Config;
use crate::nb::{self, NbError};
use crate::worker::WorkerPoolError;
use crate::xsk::ArenaError;

/// The cause of a failed start, or of the end of the daemon without a signal.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The NB DB cannot be opened or read.
    #[error("NB DB {url}: {source}")]
    Nb {
        /// URL of the NB DB without its password.
        url: String,
        /// The message of the store.
        source: Box<NbError>,
    },
    /// A control group leaves too little memory.
    #[error(
        "umem_mib = {umem_mib} takes {needed_mib} MiB, the rest of the switch included, and {file} allows {allowed_mib} MiB: the kernel would end the switch for it -> a smaller umem_mib, or a higher limit (MemoryMax= of a systemd unit)",
        file = file.display()
    )]
    MemoryLimit {
        /// The value of the setting `umem_mib`.
        umem_mib: u32,
        /// Memory that the switch needs.
        needed_mib: u64,
        /// Memory that the control group allows.
        allowed_mib: u64,
        /// The file that contains the limit.
        file: PathBuf,
    },
    /// The links cannot be watched.
    #[error(transparent)]
    Links(#[from] LinksError),
    /// The packet memory cannot be registered.
    #[error(transparent)]
    Arena(#[from] ArenaError),
    /// The workers cannot be started, or one has ended.
    #[error(transparent)]
    Workers(#[from] WorkerPoolError),
    /// The API socket cannot be opened.
    #[error(transparent)]
    Api(#[from] ListenError),
    /// The thread for calls to the kernel panicked, which is a bug.
    #[error("the thread that opens and closes links has died")]
    RtnlThread,
    /// The paths to other hosts cannot be searched.
    #[error(transparent)]
    Underlay(#[from] UnderlayError),
    /// The async runtime or a signal handler cannot be set up.
    #[error("cannot start the control thread: {0}")]
    Runtime(#[from] io::Error),
}

impl ControlError {
    /// An error of the NB DB that is configured.
    pub(super) fn nb(config: &Config, source: NbError) -> Self {
        Self::Nb { url: nb::masked(&config.nb), source: Box::new(source) }
    }
}
