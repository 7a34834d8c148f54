//! Rigs that tests, benches and fuzz targets share.
//!
//! * [`testbed`]: a host with the daemon and guests, in network namespaces of the real kernel.
//! * [`scenario`]: records and links, the input of a switch without sockets; [`switch`] runs the real
//!   datapath on them.
//! * [`model`]: the naive switch that the datapath is compared with.
//! * [`security_groups`]: the naive rules and connections that the datapath is compared with.
//! * [`stores`], [`simulated`], [`simulated_underlay`]: NB DBs on loopback, and links and paths without a
//!   kernel, for a reconciler.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test ends when it cannot go on"
)]
#![allow(
    missing_docs,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::new_without_default,
    clippy::print_stdout,
    reason = "only for the tests and benches of this workspace"
)]

#[cfg(feature = "host")]
pub mod bench;
#[cfg(feature = "host")]
pub mod bpffs;
#[cfg(feature = "host")]
pub mod churn;
#[cfg(feature = "host")]
pub mod churn_ports;
#[cfg(feature = "host")]
pub mod command;
#[cfg(feature = "host")]
pub mod daemon;
#[cfg(feature = "host")]
pub mod etcd;
#[cfg(feature = "host")]
pub mod exchange;
#[cfg(feature = "host")]
pub mod fixture;
#[cfg(feature = "host")]
pub mod frame;
pub mod frames;
#[cfg(feature = "host")]
pub mod installed;
#[cfg(feature = "host")]
pub mod large;
#[cfg(feature = "host")]
pub mod many_hosts;
#[cfg(feature = "host")]
pub mod many_members;
#[cfg(feature = "host")]
pub mod many_ports;
pub mod model;
#[cfg(feature = "host")]
pub mod nb_servers;
#[cfg(feature = "host")]
pub mod netns;
#[cfg(feature = "host")]
pub mod noise;
pub mod outside;
#[cfg(feature = "host")]
pub mod process;
#[cfg(feature = "host")]
pub mod records;
#[cfg(feature = "host")]
pub mod reporting_host;
#[cfg(feature = "host")]
pub mod resources;
#[cfg(feature = "host")]
pub mod root;
pub mod scenario;
pub mod security_groups;
#[cfg(feature = "host")]
pub mod shapes;
#[cfg(feature = "host")]
pub mod simulated;
#[cfg(feature = "host")]
pub mod simulated_underlay;
#[cfg(feature = "host")]
pub mod stores;
#[cfg(feature = "host")]
pub mod strategies;
#[cfg(feature = "host")]
pub mod stream;
pub mod switch;
#[cfg(feature = "host")]
pub mod tap;
#[cfg(feature = "host")]
pub mod testbed;
pub mod tunnels;
#[cfg(feature = "host")]
pub mod uplink;
#[cfg(feature = "host")]
pub mod wait;
#[cfg(feature = "host")]
pub mod window;
#[cfg(feature = "host")]
pub mod wire;
