//! The life of the XDP program on one link: load, attach, steer to sockets, count, replace, detach.
//!
//! A `bpf_link` of this process keeps the program attached: while the process lives, no other process can
//! replace it. When the process is killed, the kernel detaches the program after the last descriptor of the
//! `bpf_link` is closed; so for an uplink, and for a port with the policy `pass`. For a port with the policy
//! `drop` a pin keeps the program attached, where it finds no socket any more and drops all frames, until the
//! next start adopts it.

mod attached;
mod counters;
mod error;
mod loader;
mod steer;
mod uplink;
mod xdp_program;

use libbpf_rs::PrintLevel;

pub use attached::{AttachedProgram, ProgramChange};
pub use counters::{ProgramCounters, SteerCounters};
pub use error::ProgramError;
pub use loader::ProgramLoader;
pub use steer::{ProgramOptions, SteerProgram};
pub use uplink::{TagPlace, UplinkProgram};
pub use xdp_program::XdpProgram;

/// Redirects the messages of libbpf, such as verifier logs, from stderr to the log, at debug level: the
/// errors contain the essential part.
pub fn log_libbpf() {
    libbpf_rs::set_print(Some((PrintLevel::Debug, |_, text| tracing::debug!("{}", text.trim_end()))));
}
