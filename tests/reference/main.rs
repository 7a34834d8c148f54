//! The switch and Open vSwitch with Dragonflow's flows: the same records, the same frames into both, and the same
//! frames out of both, or a [`difference`] that is on the list.
//!
//! For every frame the switch has to do what [`expected`] says for no difference, and Open vSwitch what it says for all
//! differences that are listed for its flows: to the byte, port by port. So nothing that is not on the list tells the two
//! apart. Nor is anything on it in vain: each difference has frames of which it alone, or with others, makes another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod both;
#[path = "../datapath/model/checksum.rs"]
mod checksum;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../support/command.rs"]
mod command;
mod difference;
mod edge_frames;
mod expected;
mod flows;
mod frame_seen;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../datapath/frames.rs"]
mod frames;
#[path = "../support/installed.rs"]
mod installed;
mod listed;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../support/process.rs"]
mod process;
mod random_frames;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../datapath/model/records.rs"]
mod records;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../support/root.rs"]
mod root;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../datapath/strategies.rs"]
mod strategies;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../datapath/switch.rs"]
mod switch;
mod vswitch;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../support/wait.rs"]
mod wait;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../datapath/world.rs"]
mod world;
mod worlds;
