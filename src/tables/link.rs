//! A link and the ports that it carries.

use super::vlan_table::VlanTable;
use super::{NetworkSlot, Port, PortFilter, QueueOwners};
use crate::types::{IfIndex, Wants};

/// A link of this host whose frames the switch receives, and the ports that it carries.
#[derive(Debug)]
pub struct LinkEntry {
    /// Index of the link in the kernel.
    pub ifindex: IfIndex,
    /// The worker that owns each of its queues.
    pub queues: QueueOwners,
    /// Steps that every frame received on it needs.
    pub wants: Wants,
    /// Bytes of the longest packet that it accepts, without Ethernet header and tags.
    pub mtu: usize,
    /// Bytes of the longest frame that it accepts, with all tags.
    pub longest_frame: usize,
    /// The ports by their numbers.
    pub(super) ports: Vec<Option<Port>>,
}

impl LinkEntry {
    /// Maximum number of ports of one link. Larger numbers have another meaning in a [`VlanTable`].
    pub(super) const MAX_PORTS: u16 = VlanTable::UNWANTED;

    /// The port with this number; `None` after its removal.
    #[inline]
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.get(usize::from(number))?.as_ref()
    }

    /// The ports that the link carries, in the order of their numbers.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().flatten()
    }

    /// Inserts `port` with this number, or replaces the present one.
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

    /// Sets what filters a port.
    pub(super) fn set_filter(&mut self, number: u16, filter: Option<PortFilter>) {
        if let Some(port) = self.port_mut(number) {
            port.filter = filter;
        }
    }

    /// Sets the network of a port.
    pub(super) fn set_network(&mut self, number: u16, network: NetworkSlot) {
        if let Some(port) = self.port_mut(number) {
            port.network = Some(network);
        }
    }
}
