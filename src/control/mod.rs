//! The control thread: one async runtime for everything except frames.
//!
//! Records of the NB DB, links and signals are events. After each of them control determines the links that
//! should be open, has them opened and closed, and publishes the tables that result. Between two such rounds
//! it answers requests of the API. Calls that may block in the kernel run on threads of their own
//! (`rtnl_thread`, [`links`]); their outcomes are events too.

mod af_xdp;
mod answer;
mod backend;
mod blocking;
mod bound_elsewhere;
mod daemon;
mod desired;
mod error;
mod event_log;
mod follow;
mod incumbent_store;
mod link_registry;
pub mod links;
mod live_views;
mod nb_session;
mod outside;
mod pinning;
mod reconciler;
mod reload;
mod render;
mod responder;
mod rtnl_thread;
mod run;
mod security_groups;
mod sightings;
mod signals;
mod slow_path;
mod snapshot_cache;
mod trace;
mod tunnels;
pub mod underlay;

#[cfg(test)]
mod worker_panics;

pub use backend::{BackendEvent, LinkBackend, LostReason};
pub use error::ControlError;
pub use follow::{Follower, NbEvent};
pub use reconciler::{Evidence, Reconciler};
pub use reload::ReadConfig;
pub use run::{Prepared, run};
