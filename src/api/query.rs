//! Requests and answers between the server and its responder.

use tokio::sync::oneshot;

use super::error::ApiError;
use super::model::{ConnectionsRequest, TraceRequest};

/// A request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// `GET /v1/ports`: an array of [`PortView`](super::model::PortView).
    Ports,
    /// `GET /v1/subports`: an array of [`SubportView`](super::model::SubportView).
    Subports,
    /// `GET /v1/networks`: an array of [`NetworkView`](super::model::NetworkView).
    Networks,
    /// `GET /v1/peers`: an array of [`PeerView`](super::model::PeerView).
    Peers,
    /// `GET /v1/uplinks`: an array of [`UplinkView`](super::model::UplinkView).
    Uplinks,
    /// `GET /v1/workers`: an array of [`WorkerView`](super::model::WorkerView).
    Workers,
    /// `GET /v1/problems`: an array of [`Problem`](crate::types::Problem).
    Problems,
    /// `GET /v1/nb`: an [`NbView`](super::model::NbView).
    Nb,
    /// `GET /v1/drift`: an array of sentences, each a difference between the tables in force and a fresh read
    /// of the NB DB.
    Drift,
    /// `GET /v1/groups`: an array of [`GroupView`](super::model::GroupView).
    Groups,
    /// `GET /v1/connections`, or `GET /v1/connections?port=ID` for those of one port: a
    /// [`ConnectionsView`](super::model::ConnectionsView).
    Connections(ConnectionsRequest),
    /// `GET /v1/stats`: a [`StatsView`](super::model::StatsView).
    Stats,
    /// `POST /v1/trace`: a [`TraceView`](super::model::TraceView).
    Trace(TraceRequest),
}

impl Query {
    /// All queries that are `GET` requests without parameters.
    pub(super) const READS: [Self; 11] = [
        Self::Ports,
        Self::Subports,
        Self::Networks,
        Self::Peers,
        Self::Uplinks,
        Self::Workers,
        Self::Problems,
        Self::Nb,
        Self::Drift,
        Self::Groups,
        Self::Stats,
    ];

    pub(super) const CONNECTIONS_PATH: &str = "/v1/connections";

    pub(super) const TRACE_PATH: &str = "/v1/trace";

    /// The path of the request's URL.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        match self {
            Self::Ports => "/v1/ports",
            Self::Subports => "/v1/subports",
            Self::Networks => "/v1/networks",
            Self::Peers => "/v1/peers",
            Self::Uplinks => "/v1/uplinks",
            Self::Workers => "/v1/workers",
            Self::Problems => "/v1/problems",
            Self::Nb => "/v1/nb",
            Self::Drift => "/v1/drift",
            Self::Groups => "/v1/groups",
            Self::Connections(_) => Self::CONNECTIONS_PATH,
            Self::Stats => "/v1/stats",
            Self::Trace(_) => Self::TRACE_PATH,
        }
    }
}

/// A request for another thread, which sends the reply.
#[derive(Debug)]
pub struct Call {
    /// The view that is requested.
    pub query: Query,
    /// The server waits at the other end; without a reply the client gets [`ApiError::Stopping`].
    pub reply: oneshot::Sender<Reply>,
}

/// An answer for the client.
#[derive(Debug)]
pub struct Reply {
    /// The view that [`Query`] names, as JSON.
    pub outcome: Result<serde_json::Value, ApiError>,
    /// Age of the link states in the answer, in whole seconds: the header `Age` (RFC 9111, 5.1).
    pub age_secs: u64,
}
