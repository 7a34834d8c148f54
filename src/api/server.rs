//! The server's side of the socket.

use std::path::Path;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::AGE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::connections::Connections;
use super::socket_file::{ApiError, SocketFile};
use super::{Call, Query, Reply};

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
    /// [`ApiError`] when another daemon is there, or when the file system refuses.
    pub async fn bind(path: &Path) -> Result<Self, ApiError> {
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
    let Some(Reply { outcome, age_secs }) = answer else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping");
    };
    let answered = match outcome {
        Ok(value) => Json(value).into_response(),
        Err(reason) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &reason),
    };
    ([(AGE, age_secs.to_string())], answered).into_response()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
