//! trunkpath

pub mod datapath;
pub mod nb;
pub mod packet;
pub mod tables;
pub mod types;
#[allow(unsafe_code, reason = "the rings and the memory shared with the kernel; each block has its proof")]
pub mod xsk;
