//! The socket's file: created at the start, replaced when its daemon was killed, removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, RenameFlags, renameat_with};
use tokio::net::{UnixListener, UnixStream};

use crate::kernel::CreatedPaths;

/// Why the daemon cannot listen at its socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another daemon listens at the path.
    #[error("{path} belongs to a running daemon ({owner}): stop it, or give this one another --api", path = path.display())]
    InUse {
        /// The value of `--api`.
        path: PathBuf,
        /// The daemon's process id and name.
        owner: String,
    },
    /// The path names something that is not a socket, which is never removed.
    #[error("{path} exists and is not a socket: remove it, or give another --api", path = path.display())]
    NotASocket {
        /// The value of `--api`.
        path: PathBuf,
    },
    /// The file system rejects the file or its folder.
    #[error("cannot listen at {path}: {source}", path = path.display())]
    Io {
        /// The value of `--api`.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
}

/// The socket's file. Removed when this is dropped, unless another daemon has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
    /// The folders created for the file, removed with it.
    _created: CreatedPaths,
}

impl SocketFile {
    /// Listens at `path`, which only the daemon's own user can connect to (mode 0600). The file of a killed
    /// daemon is replaced; missing folders are created.
    ///
    /// There is no lock: any user may hold one on a folder that it can read. Two daemons that start together
    /// both find the same file of a killed daemon, but each renames it before it removes it, and only one of
    /// them can bind.
    ///
    /// # Errors
    /// [`ListenError`] when another daemon has the path, or the file system rejects the socket.
    pub(super) async fn listen(path: &Path) -> Result<(UnixListener, Self), ListenError> {
        let failure = |failure| match failure {
            Failure::InUse(owner) => ListenError::InUse { path: path.to_owned(), owner },
            Failure::NotASocket => ListenError::NotASocket { path: path.to_owned() },
            Failure::Io(source) => ListenError::Io { path: path.to_owned(), source },
        };
        let mut created = CreatedPaths::default();
        created.create_folder(folder_of(path)).map_err(|error| failure(error.into()))?;
        remove_dead(path).await.map_err(failure)?;
        let listener = match bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let live = UnixStream::connect(path).await.map_err(|error| failure(error.into()))?;
                return Err(failure(Failure::InUse(owner(&live))));
            }
            bound => bound.map_err(|error| failure(error.into()))?,
        };
        let inode = fs::metadata(path).map_err(|error| failure(error.into()))?.ino();
        Ok((listener, Self { path: path.to_owned(), inode, _created: created }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_unchanged = fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_unchanged && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the API socket {}: {error}", self.path.display());
        }
    }
}

enum Failure {
    InUse(String),
    NotASocket,
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// The mode comes from the umask: a chmod afterwards would leave a moment for others to connect.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(umask);
    bound
}

/// Removes the file of a daemon that was killed: a connection to it fails with `ECONNREFUSED`.
async fn remove_dead(path: &Path) -> Result<(), Failure> {
    match UnixStream::connect(path).await {
        Ok(live) => return Err(Failure::InUse(owner(&live))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) => return Err(error.into()),
    }
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Failure::NotASocket);
    }
    let aside = folder_of(path).join(format!(".{}", std::process::id()));
    match fs::rename(path, &aside) {
        // Another daemon that starts has renamed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed?,
    }
    // It may be the new file of a daemon that started after the first connect.
    if let Ok(live) = UnixStream::connect(&aside).await {
        renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from)?;
        return Err(Failure::InUse(owner(&live)));
    }
    Ok(fs::remove_file(&aside)?)
}

fn owner(live: &UnixStream) -> String {
    let Some(pid) = live.peer_cred().ok().and_then(|cred| cred.pid()) else {
        return "unknown process".to_owned();
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid} {}", name.trim_end()).trim_end().to_owned()
}
