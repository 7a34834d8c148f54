//! The server's end of the socket.

use std::path::Path;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AGE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::connections::Connections;
use super::error::ApiError;
use super::query::{Call, Query, Reply};
use super::socket_file::{ListenError, SocketFile};

/// A listening socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    file: SocketFile,
}

impl Server {
    /// Listens at `path`, which only the daemon's own user can connect to (mode 0600).
    ///
    /// # Errors
    /// [`ListenError`] when another daemon has the path, or the file system rejects the socket.
    pub async fn bind(path: &Path) -> Result<Self, ListenError> {
        let (listener, file) = SocketFile::listen(path).await?;
        Ok(Self { listener, file })
    }

    /// Answers requests through `calls` until the future is dropped.
    pub async fn serve(self, calls: mpsc::Sender<Call>) {
        let Self { listener, file: _file } = self;
        Connections::new(router(calls)).accept_from(listener).await;
    }
}

fn router(calls: mpsc::Sender<Call>) -> Router {
    let reads = Query::READS.into_iter().fold(Router::new(), |router, query| {
        router.route(query.path(), get(|State(calls): State<mpsc::Sender<Call>>| ask(calls, query)))
    });
    reads.route(Query::TRACE_PATH, post(trace)).fallback(not_found).with_state(calls)
}

/// Accepts any content type, so that `curl -d '{...}'` needs no header.
async fn trace(State(calls): State<mpsc::Sender<Call>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(request) => ask(calls, Query::Trace(request)).await,
        Err(error) => reject(&ApiError::InvalidTrace(error)),
    }
}

async fn not_found() -> Response {
    let reads = Query::READS.map(|query| query.path()).join(", ");
    reject(&ApiError::NoSuchPath(format!("GET {reads} or POST {}", Query::TRACE_PATH)))
}

async fn ask(calls: mpsc::Sender<Call>, query: Query) -> Response {
    let (reply, answer) = oneshot::channel();
    let answer = match calls.send(Call { query, reply }).await {
        Ok(()) => answer.await.ok(),
        Err(_) => None,
    };
    let Some(Reply { outcome, age_secs }) = answer else {
        return reject(&ApiError::Stopping);
    };
    let answered = match outcome {
        Ok(value) => Json(value).into_response(),
        Err(error) => reject(&error),
    };
    ([(AGE, age_secs.to_string())], answered).into_response()
}

fn reject(error: &ApiError) -> Response {
    (error.status(), Json(json!({ "error": error.to_string() }))).into_response()
}
