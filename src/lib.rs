//! trunkpath

pub mod cli;
pub mod nb;
pub mod types;
