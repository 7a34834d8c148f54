//! The client's end of the socket.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::form_urlencoded;

use super::model::ConnectionsRequest;
use super::query::Query;

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No process listens at the socket.
    #[error("no daemon at {path}: start `trunkpath run`, or give its socket with --api", path = path.display())]
    NoDaemon {
        /// The value of `--api`.
        path: PathBuf,
    },
    /// The path names something that is not a socket.
    #[error("{path} is not a socket: give the daemon's socket with --api", path = path.display())]
    NotASocket {
        /// The value of `--api`.
        path: PathBuf,
    },
    /// The socket's mode keeps this user out.
    #[error("no access to {path}: only the daemon's user may connect (try sudo)", path = path.display())]
    NoAccess {
        /// The value of `--api`.
        path: PathBuf,
    },
    /// Any other failure to connect.
    #[error("cannot connect to {path}: {source}", path = path.display())]
    Connect {
        /// The value of `--api`.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The connection ended before the answer, for example because the daemon stopped.
    #[error("the daemon at {path} did not answer: {source}", path = path.display())]
    Broken {
        /// The value of `--api`.
        path: PathBuf,
        /// The error of the HTTP connection.
        source: hyper::Error,
    },
    /// The daemon runs, and is busy or blocked.
    #[error(
        "the daemon at {path} has not answered within {seconds} s: it is busy, or waits for a disk; forwarding does not depend on it -> ask again with a longer --timeout, and look in its log",
        path = path.display(), seconds = limit.as_secs()
    )]
    Timeout {
        /// The value of `--api`.
        path: PathBuf,
        /// The value of `--timeout`.
        limit: Duration,
    },
    /// The daemon rejected the request: the text of its [`ApiError`](super::ApiError).
    #[error("{0}")]
    Rejected(String),
    /// The answer is not JSON: another program listens at the socket.
    #[error("{path} is not the socket of a trunkpath daemon: {source}", path = path.display())]
    NotJson {
        /// The value of `--api`.
        path: PathBuf,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
}

/// The answer of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The view that the query names.
    pub value: Value,
    /// Age of the link states in it, in whole seconds.
    pub age_secs: u64,
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    /// Upper bound of the time for each answer.
    limit: Duration,
    requests: SendRequest<Full<Bytes>>,
    /// Drives the connection; aborted when the client is dropped.
    _connection: JoinSet<Result<(), hyper::Error>>,
}

impl Client {
    /// Connects to the daemon at `path`, whose answers may take up to `limit` each. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError`] when no daemon listens there, or this user may not connect.
    pub async fn connect(path: &Path, limit: Duration) -> Result<Self, ClientError> {
        let late = |_| ClientError::Timeout { path: path.to_owned(), limit };
        let connected = timeout(limit, UnixStream::connect(path)).await.map_err(late)?;
        let stream = connected.map_err(|source| connect_error(path, source))?;
        let (requests, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|source| ClientError::Broken { path: path.to_owned(), source })?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self { path: path.to_owned(), limit, requests, _connection: task })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError`] when the daemon rejects the request, or ends.
    pub async fn request(&mut self, query: &Query) -> Result<Answer, ClientError> {
        let (path, limit) = (self.path.clone(), self.limit);
        let exchanged = timeout(limit, self.exchange(query)).await;
        let exchanged = exchanged.map_err(|_| ClientError::Timeout { path: path.clone(), limit })?;
        let (head, body) = exchanged.map_err(|source| ClientError::Broken { path: path.clone(), source })?;
        let value: Value =
            serde_json::from_slice(&body).map_err(|source| ClientError::NotJson { path, source })?;
        match (head.status, value.get("error").and_then(Value::as_str)) {
            (StatusCode::OK, _) => Ok(Answer { value, age_secs: age(&head) }),
            (_, Some(reason)) => Err(ClientError::Rejected(reason.to_owned())),
            (status, None) => Err(ClientError::Rejected(status.to_string())),
        }
    }

    async fn exchange(&mut self, query: &Query) -> Result<(Parts, Bytes), hyper::Error> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri_of(query);
        // HTTP/1.1 requires a host, and a Unix socket has none.
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        if let Query::Trace(trace) = query {
            *request.method_mut() = Method::POST;
            *request.body_mut() = json!(trace).to_string().into();
        }
        self.requests.ready().await?;
        let response = self.requests.send_request(request).await?;
        let (head, body) = response.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    }
}

fn uri_of(query: &Query) -> Uri {
    let Query::Connections(ConnectionsRequest { port: Some(port) }) = query else {
        return Uri::from_static(query.path());
    };
    let parameters = form_urlencoded::Serializer::new(String::new()).append_pair("port", port).finish();
    // Always a URI: what may not be in one is escaped.
    format!("{}?{parameters}", query.path()).parse().unwrap_or_default()
}

fn age(head: &Parts) -> u64 {
    let age = head.headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse().ok());
    age.unwrap_or(0)
}

fn connect_error(path: &Path, source: io::Error) -> ClientError {
    let exists_as_other = path.metadata().is_ok_and(|found| !found.file_type().is_socket());
    let path = path.to_owned();
    if exists_as_other {
        ClientError::NotASocket { path }
    } else if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&source.kind()) {
        ClientError::NoDaemon { path }
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        ClientError::NoAccess { path }
    } else {
        ClientError::Connect { path, source }
    }
}
