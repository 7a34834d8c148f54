//! The switch on real frames: a daemon and its guests in network namespaces, frames sent and checked to the byte.
//! They need root; `scripts/test` runs them.

#[cfg(test)]
mod harness;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
