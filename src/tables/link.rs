//! A link and the ports that it carries.

use super::vlan_table::VlanTable;
use super::{NetworkSlot, Port, QueueOwners};
use crate::types::{IfIndex, Wants};

/// A link of this host whose frames the switch receives, and the ports that it carries.
#[derive(Debug)]
pub struct LinkEntry {
    /// The kernel's index.
    pub ifindex: IfIndex,
    /// The worker of each of its queues.
    pub queues: QueueOwners,
    /// What each frame that comes in by it needs.
    pub wants: Wants,
    /// Bytes of the longest packet that it takes: what is behind the Ethernet header and all tags.
    pub mtu: usize,
    /// Bytes of the longest frame that can leave by it, tags and all.
    pub longest_frame: usize,
    /// By number.
    pub(super) ports: Vec<Option<Port>>,
}

impl LinkEntry {
    /// Ports of one link at most. Larger numbers have another meaning in a [`VlanTable`].
    pub(super) const MAX_PORTS: u16 = VlanTable::UNWANTED;

    /// The port with this number; `None` once it is gone.
    #[inline]
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.get(usize::from(number))?.as_ref()
    }

    /// The ports that the link carries.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().flatten()
    }

    /// Places `port` at `number`.
    pub(super) fn insert(&mut self, number: u16, port: Port) {
        let place = usize::from(number);
        if self.ports.len() <= place {
            self.ports.resize_with(place + 1, || None);
        }
        if let Some(entry) = self.ports.get_mut(place) {
            *entry = Some(port);
        }
    }

    pub(super) fn port_mut(&mut self, number: u16) -> Option<&mut Port> {
        self.ports.get_mut(usize::from(number))?.as_mut()
    }

    /// Connects a port to its network.
    pub(super) fn set_network(&mut self, number: u16, network: NetworkSlot) {
        if let Some(port) = self.port_mut(number) {
            port.network = Some(network);
        }
    }
}
