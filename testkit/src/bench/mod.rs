//! Bursts of frames through tables of any size, for the benches of the datapath.

pub mod burst;
mod guard;
pub mod scenario;
pub mod step;
