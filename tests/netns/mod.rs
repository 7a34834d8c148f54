//! The daemon with real frames: guests in network namespaces, frames sent and compared to the byte. The tests
//! need root; `scripts/test` runs them.

mod amplification;
mod away;
mod bare_host;
mod changes;
mod churn;
mod copy;
mod displaced;
mod drops;
mod etcd;
mod first_frame;
mod flood;
mod harness;
mod hostile;
mod life;
mod links;
mod log;
mod long_frames;
pub mod model;
mod neighbours;
mod newcomers;
mod pairs;
mod pins;
mod privileges;
mod queues;
mod redis;
mod reported;
mod rtnl;
mod security_groups;
mod shown_groups;
mod sightings;
mod signals;
mod storm;
mod tags;
pub mod transport;
mod uplinks;
mod vm_ports;
