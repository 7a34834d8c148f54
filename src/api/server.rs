//! The server's end of the socket.

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::http::header::AGE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::UnixListener;

use super::connections::Connections;
use super::error::ApiError;
use super::model::ConnectionsRequest;
use super::query::{Query, Reply};
use super::responder::Responder;
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

    /// Answers requests by `responder` until the future is dropped.
    pub async fn serve(self, responder: impl Responder) {
        let Self { listener, file: _file } = self;
        Connections::new(router(Arc::new(responder))).accept_from(listener).await;
    }
}

type SharedResponder = Arc<dyn Responder>;

fn router(responder: SharedResponder) -> Router {
    let reads = Query::READS.into_iter().fold(Router::new(), |router, query| {
        router.route(query.path(), get(|State(responder): State<SharedResponder>| answer(responder, query)))
    });
    let others = reads.route(Query::CONNECTIONS_PATH, get(connections));
    others.route(Query::TRACE_PATH, post(trace)).fallback(not_found).with_state(responder)
}

/// Accepts any content type, so that `curl -d '{...}'` needs no header.
async fn trace(State(responder): State<SharedResponder>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(request) => answer(responder, Query::Trace(request)).await,
        Err(error) => reject(&ApiError::InvalidTrace(error)),
    }
}

async fn connections(
    State(responder): State<SharedResponder>,
    parameters: Result<Parameters<ConnectionsRequest>, QueryRejection>,
) -> Response {
    match parameters {
        Ok(Parameters(request)) => answer(responder, Query::Connections(request)).await,
        Err(error) => reject(&ApiError::InvalidParameters(error)),
    }
}

async fn not_found() -> Response {
    let reads = Query::READS.map(|query| query.path()).join(", ");
    let (connections, trace) = (Query::CONNECTIONS_PATH, Query::TRACE_PATH);
    reject(&ApiError::NoSuchPath(format!("GET {reads}, {connections} or POST {trace}")))
}

async fn answer(responder: SharedResponder, query: Query) -> Response {
    let Some(Reply { outcome, age_secs }) = responder.respond(query).await else {
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
