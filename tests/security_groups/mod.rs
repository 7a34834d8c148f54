//! Security groups: rules, connections, changes.

mod agrees;
mod both;
mod bridge;
mod difference;
mod examples;
mod nftables;
mod reference;
mod rules;
