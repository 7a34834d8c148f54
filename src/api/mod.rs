//! The daemon's socket: HTTP and JSON on a Unix socket, so that `curl --unix-socket` works as well as our CLI.
//!
//! The server knows nothing of ports or tables. It turns each request into a [`Call`] that the control thread
//! answers between two of its other events, so what a client reads is never half an update.

mod client;
mod connections;
mod hex;
pub mod model;
mod server;
mod socket_file;

pub use client::{Answer, Client, ClientError};
pub use hex::{Hex, HexError};
pub use server::Server;
pub use socket_file::ApiError;
use tokio::sync::oneshot;

use model::TraceRequest;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// `GET /v1/ports`: an array of [`model::PortView`].
    Ports,
    /// `GET /v1/subports`: an array of [`model::SubportView`].
    Subports,
    /// `GET /v1/networks`: an array of [`model::NetworkView`].
    Networks,
    /// `GET /v1/workers`: an array of [`model::WorkerView`].
    Workers,
    /// `GET /v1/problems`: an array of [`crate::types::Problem`].
    Problems,
    /// `GET /v1/nb`: a [`model::NbView`].
    Nb,
    /// `GET /v1/drift`: an array of sentences, in what the tables in force differ from a fresh read of the NB DB.
    Drift,
    /// `GET /v1/stats`: a [`model::StatsView`].
    Stats,
    /// `POST /v1/trace`: a [`model::TraceView`].
    Trace(TraceRequest),
}

impl Query {
    /// Everything that `GET` asks.
    const READS: [Self; 8] = [
        Self::Ports,
        Self::Subports,
        Self::Networks,
        Self::Workers,
        Self::Problems,
        Self::Nb,
        Self::Drift,
        Self::Stats,
    ];

    const TRACE_PATH: &str = "/v1/trace";

    /// The path of its URL.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        match self {
            Self::Ports => "/v1/ports",
            Self::Subports => "/v1/subports",
            Self::Networks => "/v1/networks",
            Self::Workers => "/v1/workers",
            Self::Problems => "/v1/problems",
            Self::Nb => "/v1/nb",
            Self::Drift => "/v1/drift",
            Self::Stats => "/v1/stats",
            Self::Trace(_) => Self::TRACE_PATH,
        }
    }
}

/// A question on its way to the control thread, with the place for the answer.
#[derive(Debug)]
pub struct Call {
    /// The question.
    pub query: Query,
    /// Takes the answer.
    pub reply: oneshot::Sender<Reply>,
}

/// An answer on its way to the client.
#[derive(Debug)]
pub struct Reply {
    /// JSON, or a sentence for the client on why there is none.
    pub outcome: Result<serde_json::Value, String>,
    /// How old the state of links in it is, in whole seconds: the header `Age` (RFC 9111, 5.1).
    pub age_secs: u64,
}
