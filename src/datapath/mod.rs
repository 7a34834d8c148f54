//! The route of a frame between two sockets, as a list of steps ([`burst`](forward)). Frames and tables in,
//! frames for links out; no socket anywhere, so all of it runs in a test without a NIC.
//!
//! A frame takes the *from-port* half on the worker that owns the link it came in by, and the *to-port* half
//! on the worker that owns the link it leaves by, with that worker's newest tables. Between the two, if these
//! are different workers, it waits in a queue ([`HandedOver`]).

#[allow(clippy::inline_always, reason = "as a call a step gets the packet by way of memory")]
mod burst;
mod check_sender;
mod context;
mod exit;
mod from_port;
mod halt;
mod hand_over;
mod handed_over;
mod judge;
#[allow(clippy::inline_always, reason = "as a call a step gets the packet by way of memory")]
mod judged;
#[allow(clippy::inline_always, reason = "as a call a step gets the packet by way of memory")]
mod leave;
mod outlet;
mod packet;
mod ration;
mod state;
mod to_port;

pub use burst::{forward, receive, send};
pub use context::Context;
use exit::exit_to;
pub use from_port::{Ingress, classify, locate};
pub use halt::{Blame, Halt};
use hand_over::hand_over;
pub use handed_over::HandedOver;
pub use judge::Ground;
pub use outlet::{Event, Outlet};
pub use packet::{Burst, Entry, Facts, Origin, Packet, Target};
pub use state::{Connection, ConnectionPage, State};
