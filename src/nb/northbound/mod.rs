//! The northbound DB in memory, as far as the datapath reads it. Pure.

mod holding;
mod incumbents;
mod record_order;
mod segmentation_claims;
mod segments;
mod state;

pub(crate) use record_order::in_order;
pub use state::{Edit, Northbound};

#[cfg(test)]
mod tests;
