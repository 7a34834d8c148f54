//! The connections of the API: a bounded number, none of which blocks the others.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

/// Upper bound of open connections. One more replaces the oldest that waits for a request.
const MAX_CONNECTIONS: usize = 64;

/// Time in which a request has to arrive completely.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Upper bounds of a request's head and body: a trace request has a frame of up to 64 KiB in hexadecimal
/// digits.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Pause after a failed `accept`: no file descriptors are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The open connections, oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    router: Router,
    open: VecDeque<Connection>,
}

#[derive(Debug)]
struct Connection {
    task: AbortHandle,
    /// Set between the end of a request and its answer.
    is_answering: Arc<AtomicBool>,
}

impl Connections {
    pub(super) const fn new(router: Router) -> Self {
        Self { router, open: VecDeque::new() }
    }

    /// Accepts and serves connections until the future is dropped.
    pub(super) async fn accept_from(mut self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.open(stream),
                Err(error) => {
                    tracing::warn!("cannot accept a connection to the API socket: {error}");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn open(&mut self, stream: UnixStream) {
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() >= MAX_CONNECTIONS {
            let waiting = |connection: &Connection| !connection.is_answering.load(Ordering::Relaxed);
            // Each has a request under way: the new connection is closed, and its client can try again.
            let Some(oldest) = self.open.iter().position(waiting) else { return };
            if let Some(connection) = self.open.remove(oldest) {
                connection.task.abort();
            }
        }
        let is_answering = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(serve(stream, self.router.clone(), Arc::clone(&is_answering)));
        self.open.push_back(Connection { task: task.abort_handle(), is_answering });
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.open.iter().for_each(|connection| connection.task.abort());
    }
}

async fn serve(stream: UnixStream, router: Router, is_answering: Arc<AtomicBool>) {
    let service = service_fn(|request| answer(request, router.clone(), &is_answering));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!("a connection to the API socket ended: {error}");
    }
}

/// Receives the whole request before the router gets it.
async fn answer(
    request: Request<Incoming>,
    router: Router,
    is_answering: &AtomicBool,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match timeout(REQUEST_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Ok((StatusCode::BAD_REQUEST, error.to_string()).into_response()),
        Err(_) => return Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
    };
    is_answering.store(true, Ordering::Relaxed);
    let answered = router.oneshot(Request::from_parts(head, Body::from(body))).await;
    is_answering.store(false, Ordering::Relaxed);
    answered
}
