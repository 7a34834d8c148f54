//! Ports of other hosts. A subport is where its parent is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Compiler, Members};
use crate::nb::{Binding, LogicalPort, Northbound};
use crate::tables::link_table::owns_key;
use crate::tables::network::{Member, Segment, Side};
use crate::tables::{MAX_NESTING, PortSlot};
use crate::types::{Id, MacAddr, PortKey, SourceRules};

/// A port of another host, as far as tables depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemotePort {
    pub(super) lswitch: Id,
    pub(super) at: Binding,
    key: PortKey,
    macs: Arc<[MacAddr]>,
    source_rules: Option<Arc<SourceRules>>,
}

impl Compiler {
    /// Brings the remote ports up to date with the dirty records, and marks the networks that have gained,
    /// lost or changed one.
    pub(super) fn update_remote_ports(&mut self) {
        let mut changed = BTreeSet::new();
        for lport in &self.dirty {
            add_with_subports(&self.northbound, lport, MAX_NESTING, &mut changed);
        }
        for lport in changed {
            let now = self.remote_port(&lport);
            let before = self.remote_ports.get(&lport);
            if before == now.as_ref() {
                continue;
            }
            for port in before.into_iter().chain(&now) {
                self.dirty_networks.insert(port.lswitch.clone());
                self.peers.mark_vtep(&port.at);
            }
            match now {
                Some(port) => drop(self.remote_ports.insert(lport, port)),
                None => drop(self.remote_ports.remove(&lport)),
            }
        }
    }

    /// The port, if it and all ports above it are enabled and another host has them.
    fn remote_port(&self, lport: &str) -> Option<RemotePort> {
        let nb = &self.northbound;
        let port = nb.lports().get(lport).filter(|port| owns_key(nb, port))?;
        let mut at = port;
        for _ in 0..=MAX_NESTING {
            if !at.enabled {
                return None;
            }
            match nb.segmentation_above(&at.id) {
                Some(segmentation) => at = nb.lports().get(&segmentation.parent)?,
                None => return self.bound_elsewhere(port, at),
            }
        }
        None
    }

    fn bound_elsewhere(&self, port: &LogicalPort, root: &LogicalPort) -> Option<RemotePort> {
        let at = root.binding.clone().filter(|binding| !self.is_own(binding))?;
        Some(RemotePort {
            lswitch: port.lswitch.clone(),
            at,
            key: port.key,
            macs: Arc::clone(&port.macs),
            source_rules: port.source_rules.clone(),
        })
    }

    /// The remote ports of a network that are reached by its segment. On a provider network only those with
    /// address pairs: all other addresses are on the wire anyway.
    pub(super) fn remote_members(&self, lswitch: &str, segment: Segment) -> Members {
        let ports = self.northbound.lports_on(lswitch);
        let members = ports.filter_map(|port| {
            let remote = self.remote_ports.get(&port.id)?;
            let slot = match segment {
                Segment::Tunnel(_) => PortSlot::of_peer(self.peers.slot_of(&remote.at)?),
                Segment::Wire(wire) => {
                    let pairs = remote.source_rules.as_ref().map(|rules| rules.pair_macs.len());
                    pairs.filter(|pairs| *pairs > 0).map(|_| wire)?
                }
            };
            let member = Member {
                key: remote.key,
                slot,
                side: Side::Remote,
                macs: Arc::clone(&remote.macs),
                source_rules: remote.source_rules.clone(),
            };
            Some((port.id.clone(), member))
        });
        members.collect()
    }

    /// The networks with a port at `binding`, and here.
    pub(super) fn networks_at(&self, binding: &Binding) -> BTreeSet<Id> {
        let Binding::Chassis(chassis) = binding else { return self.networks.keys().cloned().collect() };
        let mut ports = BTreeSet::new();
        for port in self.northbound.lports_at(chassis) {
            add_with_subports(&self.northbound, &port.id, MAX_NESTING, &mut ports);
        }
        let networks = ports.iter().filter_map(|lport| self.northbound.lports().get(lport));
        let networks =
            networks.map(|port| &port.lswitch).filter(|lswitch| self.networks.contains_key(*lswitch));
        networks.cloned().collect()
    }
}

/// Adds a port, and its subports down to `levels` below it.
pub(super) fn add_with_subports(nb: &Northbound, lport: &Id, levels: usize, ports: &mut BTreeSet<Id>) {
    if !ports.insert(lport.clone()) || levels == 0 {
        return;
    }
    for (_, segmentation) in nb.tags_of(lport) {
        if let Some(segmentation) = segmentation {
            add_with_subports(nb, &segmentation.port, levels - 1, ports);
        }
    }
}
