//! trunkpath

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod datapath;
#[allow(unsafe_code, reason = "system calls that no crate wraps; each block has its proof")]
pub mod kernel;
pub mod nb;
pub mod packet;
pub mod tables;
pub mod types;
pub mod worker;
#[allow(unsafe_code, reason = "the rings and the memory shared with the kernel; each block has its proof")]
pub mod xsk;
