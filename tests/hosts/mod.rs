//! Several hosts, each with a daemon, on one underlay: what is true of the tunnels and provider networks
//! between them while hosts, routes and ports change.

mod changes;
mod floods;
mod kernel_links;
mod model;
mod moves;
mod provider;
mod reach;
pub mod testbed;
