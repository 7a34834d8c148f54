//! The client's side of the socket.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

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

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    requests: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with us.
    _connection: JoinSet<Result<(), hyper::Error>>,
}

impl Client {
    /// Connects to the daemon at `path`. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError`] when no daemon is there, or it may not be asked.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).await.map_err(|source| refused_at(path, source))?;
        let (requests, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|source| ClientError::Broken { path: path.to_owned(), source })?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self { path: path.to_owned(), requests, _connection: task })
    }

    /// Asks, and gives back the answer as JSON.
    ///
    /// # Errors
    /// [`ClientError`] when the daemon refuses, or goes away.
    pub async fn ask(&mut self, query: &Query) -> Result<Value, ClientError> {
        let (status, body) = self
            .exchange(query)
            .await
            .map_err(|source| ClientError::Broken { path: self.path.clone(), source })?;
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|source| ClientError::NotOurs { path: self.path.clone(), source })?;
        match (status, answer.get("error").and_then(Value::as_str)) {
            (StatusCode::OK, _) => Ok(answer),
            (_, Some(reason)) => Err(ClientError::Refused(reason.to_owned())),
            (status, None) => Err(ClientError::Refused(status.to_string())),
        }
    }

    async fn exchange(&mut self, query: &Query) -> Result<(StatusCode, Bytes), hyper::Error> {
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
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
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
