//! The datapath without sockets: records and frames in, frames and counters out.
//!
//! [`testkit::scenario`] is the input, [`testkit::switch`] the switch under test, [`testkit::model`] the
//! naive one.

mod address_pairs;
mod agrees_with_the_model;
mod amplification;
mod announcements;
mod antispoof;
mod dragonflow_defects;
mod encapsulation;
mod encapsulations;
mod frame_conservation;
mod hand_over;
mod long_frames;
mod newcomers;
mod no_allocation;
mod provider;
mod remote;
mod rules;
mod sightings;
mod table_conflicts;
mod table_order;
mod tags;
