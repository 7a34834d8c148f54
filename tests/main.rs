//! All integration tests, in one program: a change of the library links it once. Each test is a process of
//! its own under nextest. The counting allocator of `allocation_counter` is that of the whole program; it
//! counts only inside `measure`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends when it cannot go on, and may print"
)]

mod cli;
mod convergence;
mod datapath;
mod etcd;
mod handbook;
mod hosts;
mod nb;
mod netns;
mod programs;
mod redis;
mod reference;
mod security_groups;
mod tunnels;
mod underlay;
mod vm;
mod xdp_program;
