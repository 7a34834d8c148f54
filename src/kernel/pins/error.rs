//! Why nothing can be pinned.

use std::io;
use std::path::PathBuf;

/// Why the pin folder or a pin cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum PinError {
    /// There is no bpffs at `point`, and none can be mounted there.
    #[error(
        "no bpffs is mounted at {point}, and it cannot be mounted: {source} (that requires CAP_SYS_ADMIN); `mount -t bpf bpf {point}`, or name a folder of another bpffs with pin_folder",
        point = point.display()
    )]
    Mount { point: PathBuf, source: io::Error },
    /// The folder or a file in it cannot be read or written.
    #[error("cannot use {path}: {source}; the daemon's user must be able to write there", path = path.display())]
    Io { path: PathBuf, source: io::Error },
}
