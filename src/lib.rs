//! trunkpath

pub mod api;
pub mod config;
pub mod control;
#[allow(unsafe_code, reason = "system calls without a safe wrapper")]
pub mod kernel;
pub mod types;
