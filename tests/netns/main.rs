//! The switch on real frames: a daemon and its guests in network namespaces, frames sent and checked to the byte.
//! They need root; `scripts/test` runs them.

#[cfg(test)]
mod amplification;
#[cfg(test)]
mod away;
#[cfg(test)]
mod bare_host;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod churn;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod displaced;
#[cfg(test)]
mod drops;
#[cfg(test)]
mod etcd;
#[cfg(test)]
mod first_frame;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod life;
#[cfg(test)]
mod links;
#[cfg(test)]
mod log;
mod long_frames;
#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod newcomers;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod privileges;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod reported;
#[cfg(test)]
mod rtnl;
#[cfg(test)]
mod sightings;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod site;
#[cfg(test)]
mod storm;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod transport;
