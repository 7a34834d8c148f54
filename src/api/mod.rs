//! The daemon's socket: HTTP and JSON on a Unix socket, so that `curl --unix-socket` works as well as the
//! CLI.
//!
//! The server has no access to ports or tables: a [`Responder`] answers each request. The daemon's responder
//! reads counters and workers from shared memory, and turns every other request into a [`Call`], which the
//! control thread answers between two other events: an answer never shows half an update.

mod client;
mod connections;
mod error;
mod hex;
pub mod model;
mod query;
mod responder;
mod server;
mod socket_file;

pub use client::{Answer, Client, ClientError};
pub use error::ApiError;
pub use hex::{Hex, HexError};
pub use query::{Call, Query, Reply};
pub use responder::Responder;
pub use server::Server;
pub use socket_file::ListenError;
