//! The choice who answers a request of the API: its own task, or the control thread.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::live_views::LiveViews;
use crate::api::{Call, Query, Reply, Responder};

/// Answers from shared counters where they suffice, and sends other requests to the control thread.
#[derive(Debug)]
pub(super) struct ApiResponder {
    pub(super) views: LiveViews,
    pub(super) calls: mpsc::Sender<Call>,
}

#[async_trait]
impl Responder for ApiResponder {
    async fn respond(&self, query: Query) -> Option<Reply> {
        match query {
            Query::Stats => Some(self.views.stats().await),
            Query::Workers => Some(self.views.workers()),
            Query::Ports
            | Query::Subports
            | Query::Networks
            | Query::Peers
            | Query::Uplinks
            | Query::Problems
            | Query::Nb
            | Query::Drift
            | Query::Groups
            | Query::Connections(_)
            | Query::Trace(_) => self.calls.respond(query).await,
        }
    }
}
