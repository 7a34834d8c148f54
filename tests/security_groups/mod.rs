//! Security groups: rules, connections, changes.

mod agrees;
mod both;
mod bridge;
mod difference;
mod examples;
mod model;
mod nftables;
pub mod packet;
mod reference;
mod rules;
