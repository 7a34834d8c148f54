//! Settings of the NIC that an uplink requires.
//!
//! They are changed when an uplink is opened and set back when it is given up; not when the process is
//! killed, except for the promiscuous mode, which the kernel takes back itself. The crates for ethtool only
//! read features, so the requests are the ioctls of `linux/ethtool.h`.

mod error;
mod flow_hash;
mod offload;
mod promiscuous;

use super::inspect;
use super::program::TagPlace;
use crate::types::IfIndex;

pub use error::NicError;
use flow_hash::FlowHash;
use offload::{Offload, Switch};
use promiscuous::Promiscuous;

/// Use of an uplink, on which its settings depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicUse {
    /// Tunnels only: frames to the link's own address.
    Tunnels,
    /// Provider networks as well: frames to all addresses and VIDs.
    Provider,
}

/// The settings of a NIC that this process has changed. They are set back when the value is dropped, which
/// may wait for the RTNL lock.
#[derive(Debug)]
pub struct NicSettings {
    ifindex: IfIndex,
    /// Offloads that were on.
    switched_off: Vec<Offload>,
    /// The former hash of each kind of flow.
    hashes: Vec<FlowHash>,
    promiscuous: Option<Promiscuous>,
}

impl NicSettings {
    /// The settings of a link before the first change.
    #[must_use]
    pub const fn of(ifindex: IfIndex) -> Self {
        Self { ifindex, switched_off: vec![], hashes: vec![], promiscuous: None }
    }

    /// Makes the settings of the link, which is called `link`, those that `usage` requires. May be repeated,
    /// and may wait for the RTNL lock.
    ///
    /// A NIC that strips tags loses them unless an XDP program can read them `BesideFrame`; the frames of
    /// other VLANs would also look untagged. A NIC that merges frames makes them too long.
    ///
    /// # Errors
    /// [`NicError`]. What was changed before is set back by the drop.
    pub fn apply(&mut self, link: &str, usage: NicUse, tags: TagPlace) -> Result<(), NicError> {
        if tags == TagPlace::InFrame {
            match (self.switch_off(link, Offload::TagStripping), usage) {
                (Err(error @ NicError::StaysOn { .. }), NicUse::Tunnels) => {
                    tracing::warn!(link, "{error}: packets to the tunnel endpoint are taken from every VLAN");
                }
                (outcome, _) => outcome?,
            }
        }
        self.switch_off(link, Offload::LargeReceive)?;
        if self.hashes.is_empty() {
            self.hashes = FlowHash::hash_ports(link);
        }
        self.promiscuous = match (usage, self.promiscuous.take()) {
            (NicUse::Tunnels, _) => None,
            (NicUse::Provider, Some(promiscuous)) => Some(promiscuous),
            (NicUse::Provider, None) => {
                Some(Promiscuous::enter(self.ifindex).map_err(NicError::Promiscuous)?)
            }
        };
        Ok(())
    }

    fn switch_off(&mut self, link: &str, offload: Offload) -> Result<(), NicError> {
        let failed = |source| NicError::Ethtool { link: link.to_owned(), source };
        if !offload.is_on(link).map_err(failed)? {
            return Ok(());
        }
        // The outcome is read: the request succeeds for offloads that are fixed.
        offload.switch(link, Switch::Off).map_err(failed)?;
        if offload.is_on(link).map_err(failed)? {
            return Err(NicError::StaysOn { link: link.to_owned(), offload });
        }
        if !self.switched_off.contains(&offload) {
            self.switched_off.push(offload);
        }
        Ok(())
    }
}

impl Drop for NicSettings {
    fn drop(&mut self) {
        // The link may have another name by now, or be removed.
        let Some(link) = inspect::link_name(self.ifindex) else { return };
        for hash in self.hashes.drain(..) {
            if let Err(error) = hash.set(&link) {
                tracing::warn!(link, "cannot set the flow hash back: {error}");
            }
        }
        for offload in self.switched_off.drain(..) {
            if let Err(error) = offload.switch(&link, Switch::On) {
                tracing::warn!(link, "cannot switch {offload} on again: {error}");
            }
        }
    }
}
