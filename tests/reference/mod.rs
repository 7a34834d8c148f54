//! The switch and Open vSwitch with Dragonflow's flows: the same records, the same frames into both, and the same
//! frames out of both, or a [`difference`] that is on the list.
//!
//! For every frame the switch has to do what [`expected`] says for no difference, and Open vSwitch what it says for all
//! differences that are listed for its flows: to the byte, port by port. So nothing that is not on the list tells the two
//! apart. Nor is anything on it in vain: each difference has frames of which it alone, or with others, makes another.

mod both;
mod difference;
mod edge_frames;
mod expected;
mod flows;
mod frame_seen;
mod listed;
mod random_frames;
mod scenarios;
mod vswitch;
