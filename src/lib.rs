//! trunkpath

pub mod types;
