//! The client's side of the socket.

use std::io;
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

use super::Query;

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon at {path}: start `trunkpath run`, or give its socket with --api", path = path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody listens, but not for us.
    #[error("no access to {path}: only the daemon's user may ask it (try sudo)", path = path.display())]
    NoAccess {
        /// The socket.
        path: PathBuf,
    },
    /// Another failure to connect.
    #[error("cannot connect to {path}: {source}", path = path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, for example because the daemon stopped.
    #[error("the daemon at {path} did not answer: {source}", path = path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: hyper::Error,
    },
    /// The daemon is there, and busy or stuck.
    #[error(
        "the daemon at {path} has not answered within {seconds} s: it is busy, or waits for a disk; forwarding does not depend on it -> ask again with a longer --timeout, and look in its log",
        path = path.display(), seconds = limit.as_secs()
    )]
    Late {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The daemon's own words.
    #[error("{0}")]
    Refused(String),
    /// What came back is no JSON: something else listens there.
    #[error("{path} does not speak our protocol: {source}", path = path.display())]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// What a daemon answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer as JSON.
    pub value: Value,
    /// How old the state of links in it is, in whole seconds.
    pub age_secs: u64,
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    /// How long an answer may take.
    limit: Duration,
    requests: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with us.
    _connection: JoinSet<Result<(), hyper::Error>>,
}

impl Client {
    /// Connects to the daemon at `path`, whose answers may take up to `limit` each. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError`] when no daemon is there, or it may not be asked.
    pub async fn connect(path: &Path, limit: Duration) -> Result<Self, ClientError> {
        let late = |_| ClientError::Late { path: path.to_owned(), limit };
        let connected = timeout(limit, UnixStream::connect(path)).await.map_err(late)?;
        let stream = connected.map_err(|source| refused_at(path, source))?;
        let (requests, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|source| ClientError::Broken { path: path.to_owned(), source })?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self { path: path.to_owned(), limit, requests, _connection: task })
    }

    /// Asks, and gives back the answer.
    ///
    /// # Errors
    /// [`ClientError`] when the daemon refuses, or goes away.
    pub async fn ask(&mut self, query: &Query) -> Result<Answer, ClientError> {
        let (path, limit) = (self.path.clone(), self.limit);
        let exchanged = timeout(limit, self.exchange(query)).await;
        let exchanged = exchanged.map_err(|_| ClientError::Late { path: path.clone(), limit })?;
        let (head, body) = exchanged.map_err(|source| ClientError::Broken { path: path.clone(), source })?;
        let value: Value =
            serde_json::from_slice(&body).map_err(|source| ClientError::NotOurs { path, source })?;
        match (head.status, value.get("error").and_then(Value::as_str)) {
            (StatusCode::OK, _) => Ok(Answer { value, age_secs: age(&head) }),
            (_, Some(reason)) => Err(ClientError::Refused(reason.to_owned())),
            (status, None) => Err(ClientError::Refused(status.to_string())),
        }
    }

    async fn exchange(&mut self, query: &Query) -> Result<(Parts, Bytes), hyper::Error> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = Uri::from_static(query.path());
        // HTTP/1.1 wants a host, and a Unix socket has none.
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

fn age(head: &Parts) -> u64 {
    let age = head.headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse().ok());
    age.unwrap_or(0)
}

fn refused_at(path: &Path, source: io::Error) -> ClientError {
    let path = path.to_owned();
    if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&source.kind()) {
        ClientError::NoDaemon { path }
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        ClientError::NoAccess { path }
    } else {
        ClientError::Connect { path, source }
    }
}
