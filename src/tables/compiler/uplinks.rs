//! Uplinks, and the provider networks that leave by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::nb::LogicalSwitch;
use crate::tables::network::Segment;
use crate::tables::{
    Identity, LINK_OWNER, LinkEntry, LinkSlot, LocalLink, NetworkSlot, Port, PortCounters, PortSlot,
    TagMeaning, Tags, VlanTable,
};
use crate::types::{Id, NetworkSegment, Problem, UnknownTags, VlanId, Wants};

/// An uplink with open sockets.
#[derive(Debug)]
pub(super) struct UplinkState {
    pub(super) link: LocalLink,
    /// The provider networks with a port here, by their numbers on the link.
    networks: BTreeMap<u16, Id>,
    is_dirty: bool,
}

/// Frames of provider networks that an uplink receives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steering {
    /// The VLANs that belong to networks.
    pub vids: Vec<VlanId>,
    /// Whether untagged frames belong to a network (`flat`).
    pub has_untagged: bool,
}

/// The number of a segment's port on its uplink.
fn number_of(vid: Option<VlanId>) -> u16 {
    vid.map_or(LINK_OWNER, VlanId::get)
}

impl Compiler {
    pub(super) fn set_uplink(&mut self, name: &Id, link: LocalLink) {
        let networks = match self.uplinks.get_mut(name) {
            Some(uplink) if uplink.link == link => return,
            Some(uplink) => std::mem::take(&mut uplink.networks),
            None => BTreeMap::new(),
        };
        self.uplinks.insert(name.clone(), UplinkState { link, networks, is_dirty: true });
        self.mark_uplink(name);
    }

    pub(super) fn remove_uplink(&mut self, name: &Id) {
        if let Some(uplink) = self.uplinks.remove(name) {
            self.tables.links.set(usize::from(uplink.link.slot.0), None);
            self.mark_uplink(name);
        }
    }

    /// Marks what depends on the place of an uplink: networks that are mapped to it, and paths by it.
    fn mark_uplink(&mut self, name: &Id) {
        self.uplinks_changed = true;
        let networks = self.networks.keys().filter(|lswitch| self.leaves_by(lswitch, name));
        let networks: Vec<_> = networks.cloned().collect();
        self.dirty_networks.extend(networks);
        self.peers.mark_all();
    }

    fn leaves_by(&self, lswitch: &str, uplink: &Id) -> bool {
        let lswitch = self.northbound.lswitches().get(lswitch);
        let segment = lswitch.and_then(|lswitch| self.northbound.held_segment(lswitch));
        match segment {
            Some(NetworkSegment::Provider(physical, _)) => self.host.uplinks.get(physical) == Some(uplink),
            Some(NetworkSegment::Tunnel(_)) | None => false,
        }
    }

    /// The way to the ports of a network that are not here; or what is wrong with it. `Ok(None)` for a
    /// network that stays here, and while its uplink is not open.
    pub(super) fn segment_of(&self, lswitch: &LogicalSwitch) -> Result<Option<Segment>, Problem> {
        let problem = |reason: String| Problem::new(format!("lswitch {}", lswitch.id), reason);
        let segment = lswitch.segment.as_ref().map_err(|error| problem(error.to_string()))?;
        let Some(segment) = segment else { return Ok(None) };
        let holder = self.northbound.segment_holder(segment).filter(|holder| **holder != lswitch.id);
        if let Some(holder) = holder {
            return Err(problem(format!(
                "its segment ({segment}) belongs to network {holder} already, so it stays on this host: give it a free one"
            )));
        }
        match segment {
            NetworkSegment::Tunnel(tunnel) => Ok(Some(Segment::Tunnel(*tunnel))),
            NetworkSegment::Provider(physical, vid) => {
                let name = self.host.uplinks.get(physical).ok_or_else(|| {
                    problem(format!(
                        "its physical network {physical} is mapped to no link here, so it stays on this host -> run with --uplink {physical}=LINK"
                    ))
                })?;
                let uplink = self.uplinks.get(name).filter(|uplink| uplink.link.up);
                let host_address = uplink.and_then(|uplink| uplink.link.host_address);
                if let Some(address) = host_address.filter(|_| vid.is_none()) {
                    return Err(problem(format!(
                        "the host itself has {address} on its link {name}, and untagged frames cannot be for both, so it stays on this host -> remove that address, or make it a vlan network"
                    )));
                }
                let slot =
                    |uplink: &UplinkState| PortSlot { link: uplink.link.slot, number: number_of(*vid) };
                Ok(uplink.map(|uplink| Segment::Wire(slot(uplink))))
            }
        }
    }

    /// Moves a network from the segment's port that it has to another one.
    pub(super) fn move_wire(&mut self, lswitch: &Id, [before, now]: [Option<PortSlot>; 2]) {
        for wire in [before, now].into_iter().flatten() {
            if let Some(uplink) = self.uplinks.values_mut().find(|uplink| uplink.link.slot == wire.link) {
                if Some(wire) == now {
                    uplink.networks.insert(wire.number, lswitch.clone());
                } else if uplink.networks.get(&wire.number) == Some(lswitch) {
                    uplink.networks.remove(&wire.number);
                }
                uplink.is_dirty = true;
                self.uplinks_changed = true;
            }
        }
    }

    /// Compiles the uplinks whose networks, or whose own properties, have changed.
    pub(super) fn update_uplinks(&mut self) {
        let networks = |lswitch: &Id| {
            let network = self.networks.get(lswitch)?;
            Some((network.slot, Identity::of_segment(network.key), self.counters.segment(lswitch)))
        };
        for uplink in self.uplinks.values_mut().filter(|uplink| uplink.is_dirty) {
            uplink.is_dirty = false;
            let no_network = (Identity::UPLINK, self.counters.no_port());
            let entry = uplink.compile(networks, no_network);
            self.tables.links.set(usize::from(uplink.link.slot.0), Some(Arc::new(entry)));
        }
    }

    /// The frames of provider networks that each uplink receives, if that may have changed since the last
    /// call.
    pub fn take_steering(&mut self) -> Option<Vec<(LinkSlot, Steering)>> {
        let steering = self.uplinks.values().map(|uplink| (uplink.link.slot, uplink.steering()));
        std::mem::take(&mut self.uplinks_changed).then(|| steering.collect())
    }

    /// The frames of provider networks that each uplink receives, by the uplink's name.
    pub fn steering(&self) -> impl Iterator<Item = (Id, Steering)> {
        self.uplinks.iter().map(|(name, uplink)| (name.clone(), uplink.steering()))
    }
}

impl UplinkState {
    fn steering(&self) -> Steering {
        let vids = self.networks.keys().filter_map(|number| VlanId::new(*number).ok());
        Steering { vids: vids.collect(), has_untagged: self.networks.contains_key(&LINK_OWNER) }
    }

    fn compile(
        &self,
        network: impl Fn(&Id) -> Option<(NetworkSlot, Identity, PortCounters)>,
        (identity, counters): (Identity, PortCounters),
    ) -> LinkEntry {
        let link = &self.link;
        let mut entry = LinkEntry {
            ifindex: link.ifindex,
            queues: link.queues.clone(),
            wants: Wants::CHECKSUM | Wants::OUTSIDE,
            mtu: link.mtu,
            longest_frame: link.longest_frame,
            ports: Vec::new(),
        };
        let mut vids = VlanTable::empty(link.slot, UnknownTags::Drop);
        let mut owner = None;
        for (number, lswitch) in &self.networks {
            let Some((slot, identity, counters)) = network(lswitch) else { continue };
            let vid = VlanId::new(*number).ok();
            let port = Port {
                identity,
                network: Some(slot),
                tags: vid.into_iter().collect(),
                subports: None,
                filter: None,
                source_rules: None,
                counters,
            };
            match vid {
                Some(vid) => {
                    vids.set(vid, TagMeaning::Subport(PortSlot { link: link.slot, number: *number }));
                    entry.insert(*number, port);
                }
                None => owner = Some(port),
            }
        }
        let no_network = Port {
            identity,
            network: None,
            tags: Tags::new(),
            subports: None,
            filter: None,
            source_rules: None,
            counters,
        };
        let owner = owner.unwrap_or(no_network);
        entry.insert(LINK_OWNER, Port { subports: Some(vids), ..owner });
        entry
    }
}
