//! Security groups: rules, connections, changes.

mod agrees;
mod model;
mod packet;
mod rules;
