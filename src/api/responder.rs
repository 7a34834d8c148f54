//! The connection between the server and the part that answers its requests.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::query::{Call, Query, Reply};

/// Answers requests. Called by the task of each connection, so that requests may be answered in parallel.
#[async_trait]
pub trait Responder: Send + Sync + 'static {
    /// Answers a request; `None` if the daemon is stopping.
    async fn respond(&self, query: Query) -> Option<Reply>;
}

/// Another thread answers all requests, one after the other.
#[async_trait]
impl Responder for mpsc::Sender<Call> {
    async fn respond(&self, query: Query) -> Option<Reply> {
        let (reply, answer) = oneshot::channel();
        self.send(Call { query, reply }).await.ok()?;
        answer.await.ok()
    }
}
