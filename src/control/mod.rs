//! The control thread.

pub mod links;
