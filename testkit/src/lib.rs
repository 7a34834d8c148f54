//! What tests and benches share: a host and guests on the real kernel, records and frames, and a naive model of the switch.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test ends when it cannot go on"
)]
#![allow(missing_docs, clippy::must_use_candidate, reason = "only for the tests and benches beside it")]

pub mod bench;
pub mod bpffs;
pub mod churn;
pub mod churn_ports;
pub mod command;
pub mod daemon;
pub mod etcd;
pub mod fixture;
pub mod frame;
pub mod frames;
pub mod installed;
pub mod large;
pub mod model;
pub mod nb_servers;
pub mod netns;
pub mod noise;
pub mod process;
pub mod records;
pub mod reporting_host;
pub mod resources;
pub mod root;
pub mod scenario;
pub mod shapes;
pub mod simulated;
pub mod stores;
pub mod strategies;
pub mod stream;
pub mod switch;
pub mod tap;
pub mod testbed;
pub mod wait;
pub mod window;
pub mod wire;
