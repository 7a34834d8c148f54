//! All tests that see the crate from outside, in one program: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod cli;
mod convergence;
mod datapath;
mod etcd;
mod nb;
mod netns;
mod redis;
mod reference;
mod vm;
mod xdp_program;
