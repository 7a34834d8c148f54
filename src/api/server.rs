//! The server's side of the socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::{Call, Query};

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

/// A listening socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    file: SocketFile,
}

impl Server {
    /// Listens at `path`, which only our own user can connect to (mode 0600). The file that a killed daemon
    /// left is replaced; missing folders are made.
    ///
    /// # Errors
    /// [`ApiError`] when another daemon is there, or when the file system refuses.
    pub async fn bind(path: &Path) -> Result<Self, ApiError> {
        Self::bind_raw(path).await.map_err(|refusal| match refusal {
            Refusal::InUse(owner) => ApiError::InUse { path: path.to_owned(), owner },
            Refusal::NotASocket => ApiError::NotASocket { path: path.to_owned() },
            Refusal::Io(source) => ApiError::Io { path: path.to_owned(), source },
        })
    }

    async fn bind_raw(path: &Path) -> Result<Self, Refusal> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        // Two daemons that start together could both find the same dead file, and one would remove the
        // other's live one. The lock ends with the file descriptor, also when we are killed.
        let lock =
            open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from)?;
        remove_dead(path).await?;
        // The mode comes from the umask: a chmod afterwards would leave a moment for others to connect.
        let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(umask);
        let listener = bound?;
        let inode = fs::metadata(path)?.ino();
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), inode } })
    }

    /// Answers requests through `calls` until the future is dropped.
    pub async fn serve(self, calls: mpsc::Sender<Call>) {
        let Self { listener, file: _file } = self;
        if let Err(error) = axum::serve(listener, router(calls)).await {
            tracing::error!("the API socket stopped: {error}");
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

/// Removes the socket file of a daemon that is no more: nobody accepts there.
async fn remove_dead(path: &Path) -> Result<(), Refusal> {
    match UnixStream::connect(path).await {
        Ok(live) => Err(Refusal::InUse(owner(&live))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if !fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(Refusal::NotASocket);
            }
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn owner(live: &UnixStream) -> String {
    let Some(pid) = live.peer_cred().ok().and_then(|cred| cred.pid()) else {
        return "unknown process".to_owned();
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid} {}", name.trim_end()).trim_end().to_owned()
}

/// Removes the socket's file, if it is still ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the API socket {}: {error}", self.path.display());
        }
    }
}

fn router(calls: mpsc::Sender<Call>) -> Router {
    let reads = Query::READS.into_iter().fold(Router::new(), |router, query| {
        router.route(query.path(), get(|State(calls): State<mpsc::Sender<Call>>| ask(calls, query)))
    });
    reads.route(Query::TRACE_PATH, post(trace)).fallback(not_found).with_state(calls)
}

/// Takes any content type, so that `curl -d '{...}'` needs no header.
async fn trace(State(calls): State<mpsc::Sender<Call>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(request) => ask(calls, Query::Trace(request)).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("not a trace request: {error}")),
    }
}

async fn not_found() -> Response {
    let reads = Query::READS.map(|query| query.path()).join(", ");
    refuse(
        StatusCode::NOT_FOUND,
        &format!("no such path: expected GET {reads} or POST {}", Query::TRACE_PATH),
    )
}

async fn ask(calls: mpsc::Sender<Call>, query: Query) -> Response {
    let (reply, answer) = oneshot::channel();
    let answer = match calls.send(Call { query, reply }).await {
        Ok(()) => answer.await.ok(),
        Err(_) => None,
    };
    match answer {
        Some(Ok(value)) => Json(value).into_response(),
        Some(Err(reason)) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &reason),
        None => refuse(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping"),
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
