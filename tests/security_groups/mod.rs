//! Security groups: rules, connections, changes.

mod agrees;
mod model;
pub mod packet;
mod rules;
