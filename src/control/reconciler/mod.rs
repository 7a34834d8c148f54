//! Opens and closes links until the open ones are those that the records require, and publishes the tables
//! for them.

mod evidence;
mod open_ports;
mod openings;
mod outside;
mod round;
mod state;
#[cfg(test)]
mod tests;

pub use evidence::Evidence;
pub use state::Reconciler;
