//! The answers to requests of the API that need the state of the control thread.

use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::daemon::Daemon;
use super::reconciler::Evidence;
use super::security_groups::connections_view;
use super::trace::trace;
use crate::api::{ApiError, Call, Query, Reply};
use crate::nb;

impl Daemon {
    /// Answers a request of the API. What takes long runs on a task of its own.
    pub(super) fn answer(&self, call: Call) {
        let Call { query, reply } = call;
        let age_secs = self.reconciler.backend.registry.age().as_secs();
        let outcome = match query {
            Query::Ports => json(&self.ports_view()),
            Query::Subports => json(&self.subports_view()),
            Query::Networks => json(&self.networks_view()),
            Query::Peers => json(&self.peers_view()),
            Query::Uplinks => json(&self.uplinks_view()),
            Query::Problems => json(&self.problems_view()),
            Query::Groups => json(&self.groups_view()),
            Query::Connections(request) => match self.connection_owners(request.port.as_deref()) {
                Ok(owners) => {
                    let workers = self.reconciler.backend.workers.reporter().clone();
                    tokio::spawn(async move {
                        let view = connections_view(&workers, &owners).await;
                        let outcome = view.and_then(|view| json(&view));
                        drop(reply.send(Reply { outcome, age_secs }));
                    });
                    return;
                }
                Err(error) => Err(error),
            },
            Query::Nb => json(&self.session.view(self.reconciler.compiler().problem_count())),
            Query::Trace(request) => trace(self, &request).and_then(|view| json(&view)),
            Query::Drift => {
                let (url, evidence) = (self.reconciler.config.nb.clone(), self.reconciler.evidence());
                tokio::spawn(async move {
                    let outcome = drift(&url, evidence).await.and_then(|found| json(&found));
                    drop(reply.send(Reply { outcome, age_secs }));
                });
                return;
            }
            // `ApiResponder` answers these itself.
            Query::Stats | Query::Workers => return,
        };
        // Fails when the client has closed its connection.
        drop(reply.send(Reply { outcome, age_secs }));
    }
}

/// Compares the tables in force with a fresh read of the NB DB, by a connection of its own.
async fn drift(url: &str, evidence: Evidence) -> Result<Vec<String>, ApiError> {
    let snapshot = nb::open_existing(url).await?.snapshot().await?;
    spawn_blocking(move || evidence.differences(&snapshot)).await.map_err(ApiError::Comparison)
}

fn json(view: &impl Serialize) -> Result<Value, ApiError> {
    Ok(serde_json::to_value(view)?)
}
