//! The socket's file: made, replaced when its daemon is dead, removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, RenameFlags, renameat_with};
use tokio::net::{UnixListener, UnixStream};

use crate::kernel::CreatedPaths;

/// The socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Another daemon answers there.
    #[error("{path} belongs to a running daemon ({owner}): stop it, or give this one another --api", path = path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
        /// Process id and name.
        owner: String,
    },
    /// The path names something that is not a socket; we do not remove what we did not make.
    #[error("{path} exists and is not a socket: remove it, or give another --api", path = path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The file system says no.
    #[error("cannot listen at {path}: {source}", path = path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The socket's file. Removed when this is dropped, if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
    /// The folders that it is in, unless they were there before.
    _created: CreatedPaths,
}

impl SocketFile {
    /// Listens at `path`, which only our own user can connect to (mode 0600). The file that a killed daemon left is
    /// replaced; missing folders are made.
    ///
    /// No lock: others may hold one on a folder that they can read. Two daemons that start together both find the
    /// same dead file, but each takes it aside before it removes it, and only one can bind.
    ///
    /// # Errors
    /// [`ApiError`] when another daemon is there, or when the file system refuses.
    pub(super) async fn listen(path: &Path) -> Result<(UnixListener, Self), ApiError> {
        let refusal = |refusal| match refusal {
            Refusal::InUse(owner) => ApiError::InUse { path: path.to_owned(), owner },
            Refusal::NotASocket => ApiError::NotASocket { path: path.to_owned() },
            Refusal::Io(source) => ApiError::Io { path: path.to_owned(), source },
        };
        let mut created = CreatedPaths::default();
        created.create_folder(folder_of(path)).map_err(|error| refusal(error.into()))?;
        remove_dead(path).await.map_err(refusal)?;
        let listener = match bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let live = UnixStream::connect(path).await.map_err(|error| refusal(error.into()))?;
                return Err(refusal(Refusal::InUse(owner(&live))));
            }
            bound => bound.map_err(|error| refusal(error.into()))?,
        };
        let inode = fs::metadata(path).map_err(|error| refusal(error.into()))?.ino();
        Ok((listener, Self { path: path.to_owned(), inode, _created: created }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the API socket {}: {error}", self.path.display());
        }
    }
}

enum Refusal {
    InUse(String),
    NotASocket,
    Io(io::Error),
}

impl From<io::Error> for Refusal {
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

/// Removes the socket file of a daemon that is no more: a connection to it is refused.
async fn remove_dead(path: &Path) -> Result<(), Refusal> {
    match UnixStream::connect(path).await {
        Ok(live) => return Err(Refusal::InUse(owner(&live))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) => return Err(error.into()),
    }
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Refusal::NotASocket);
    }
    let aside = folder_of(path).join(format!(".{}", std::process::id()));
    match fs::rename(path, &aside) {
        // Another daemon that starts was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed?,
    }
    // It may be the new file of a daemon that started since the first look.
    if let Ok(live) = UnixStream::connect(&aside).await {
        renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from)?;
        return Err(Refusal::InUse(owner(&live)));
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
