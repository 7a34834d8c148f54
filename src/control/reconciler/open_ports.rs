//! The open links, found by index, role or slot.

use std::collections::BTreeMap;

use crate::config::LinkOptions;
use crate::control::backend::LostReason;
use crate::tables::{LinkSlot, WorkerId};
use crate::types::{IfIndex, LinkRole};

/// An open link with its role.
#[derive(Debug)]
pub(in crate::control) struct OpenPort<H> {
    pub(in crate::control) ifindex: IfIndex,
    /// The link's last name: a link that was deleted still has one in the log.
    pub(in crate::control) link_name: String,
    pub(in crate::control) role: LinkRole,
    pub(in crate::control) slot: LinkSlot,
    /// The owner of each queue, by queue.
    pub(in crate::control) queues: Vec<WorkerId>,
    pub(in crate::control) options: LinkOptions,
    pub(in crate::control) handle: H,
    /// Set when the link has to be opened again.
    pub(super) lost: Option<LostReason>,
}

/// The open links. A role has one, and so has a slot.
#[derive(Debug)]
pub(in crate::control) struct OpenPorts<H> {
    ports: BTreeMap<IfIndex, OpenPort<H>>,
    ifindex_of_role: BTreeMap<LinkRole, IfIndex>,
    ifindex_at_slot: BTreeMap<LinkSlot, IfIndex>,
}

impl<H> Default for OpenPorts<H> {
    fn default() -> Self {
        Self { ports: BTreeMap::new(), ifindex_of_role: BTreeMap::new(), ifindex_at_slot: BTreeMap::new() }
    }
}

impl<H> OpenPorts<H> {
    pub(super) fn insert(&mut self, port: OpenPort<H>) {
        self.ifindex_of_role.insert(port.role.clone(), port.ifindex);
        self.ifindex_at_slot.insert(port.slot, port.ifindex);
        self.ports.insert(port.ifindex, port);
    }

    pub(super) fn remove(&mut self, ifindex: IfIndex) -> Option<OpenPort<H>> {
        let port = self.ports.remove(&ifindex)?;
        self.ifindex_of_role.remove(&port.role);
        self.ifindex_at_slot.remove(&port.slot);
        Some(port)
    }

    pub(in crate::control) fn get(&self, ifindex: IfIndex) -> Option<&OpenPort<H>> {
        self.ports.get(&ifindex)
    }

    pub(super) fn get_mut(&mut self, ifindex: IfIndex) -> Option<&mut OpenPort<H>> {
        self.ports.get_mut(&ifindex)
    }

    pub(in crate::control) fn of_role(&self, role: &LinkRole) -> Option<&OpenPort<H>> {
        self.ifindex_of_role.get(role).and_then(|ifindex| self.get(*ifindex))
    }

    pub(in crate::control) fn at_slot(&self, slot: LinkSlot) -> Option<&OpenPort<H>> {
        self.ifindex_at_slot.get(&slot).and_then(|ifindex| self.get(*ifindex))
    }

    pub(super) fn at_slot_mut(&mut self, slot: LinkSlot) -> Option<&mut OpenPort<H>> {
        let ifindex = *self.ifindex_at_slot.get(&slot)?;
        self.get_mut(ifindex)
    }

    pub(in crate::control) fn contains(&self, ifindex: IfIndex) -> bool {
        self.ports.contains_key(&ifindex)
    }

    /// The ports in the order of their ifindexes.
    pub(in crate::control) fn iter(&self) -> impl Iterator<Item = &OpenPort<H>> {
        self.ports.values()
    }

    pub(in crate::control) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenPort<H>> {
        self.ports.values_mut()
    }

    pub(in crate::control) fn into_handles(self) -> impl Iterator<Item = H> {
        self.ports.into_values().map(|port| port.handle)
    }

    /// Number of the open ports, for tests.
    #[cfg(test)]
    pub(in crate::control) fn len(&self) -> usize {
        self.ports.len()
    }
}
