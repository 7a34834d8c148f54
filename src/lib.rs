//! trunkpath

pub mod nb;
pub mod types;
