//! The switch and Open vSwitch with Dragonflow's flows: the same records, the same frames into both, and the
//! same frames out of both, except for listed [`difference`]s.
//!
//! For every frame the output of the switch must equal that of [`expected`] with no difference, and the
//! output of Open vSwitch that with all differences of its flows: to the byte, port by port. So there is no
//! unlisted difference. Each listed one is necessary: some frame shows it, alone or with others.

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
