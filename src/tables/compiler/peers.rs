//! Other hosts, from their chassis records and from the underlay.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::Compiler;
use crate::nb::{Binding, Claims};
use crate::packet::tunnel::{Endpoints, OuterHeader};
use crate::tables::peer::{Path, Paths, Peer};
use crate::tables::{LinkSlot, PeerSlot, PortCounters};
use crate::types::drop_reason::Tunnel as TunnelDrop;
use crate::types::{Claim, Id, IfIndex, Incumbents, Problem, SlotAllocator, TunnelType, TunnelTypes};

/// A path to an endpoint, as the kernel routes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderlayPath {
    /// The uplink that packets leave by.
    pub ifindex: IfIndex,
    /// The addresses of the two ends, and of the first hop.
    pub endpoints: Endpoints,
    /// Bytes of the longest packet.
    pub mtu: usize,
}

/// The paths to an endpoint, by bucket of flows; or why there is none.
pub type UnderlayPaths = Result<Vec<UnderlayPath>, TunnelDrop>;

/// The hosts with records, and the hardware VTEPs that ports are bound to.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<Binding, PeerState>,
    slots: SlotAllocator,
    /// The number of the last new host.
    last_number: u32,
    /// The chassis with each address: the first of several holds it.
    addresses: Claims<IpAddr>,
    /// The holders of contested addresses in an earlier run, until a chassis claims the address.
    remembered: BTreeMap<IpAddr, Id>,
    paths: BTreeMap<IpAddr, UnderlayPaths>,
    dirty: BTreeSet<Binding>,
    /// For each place, the number of networks here that have a port there.
    networks: BTreeMap<PeerSlot, usize>,
    /// Whether the endpoints in use may differ from those before.
    pub(super) use_changed: bool,
}

#[derive(Debug)]
struct PeerState {
    slot: PeerSlot,
    number: NonZeroU32,
    address: IpAddr,
    types: TunnelTypes,
    counters: PortCounters,
}

impl Peers {
    pub(super) fn set_incumbents(&mut self, incumbents: &Incumbents) {
        let endpoints = incumbents.iter().filter_map(|(claim, id)| match claim {
            Claim::Endpoint(address) => Some((*address, id.clone())),
            Claim::PortKey(_)
            | Claim::NetworkKey(_)
            | Claim::Tag(..)
            | Claim::Subport(_)
            | Claim::Segment(_)
            | Claim::Link(_)
            | Claim::Mac(..) => None,
        });
        self.remembered = endpoints.collect();
    }

    /// The holders of addresses that several chassis claim.
    pub(super) fn incumbents(&self) -> impl Iterator<Item = (Claim, Id)> {
        self.addresses.contested().map(|(address, id)| (Claim::Endpoint(*address), id.clone()))
    }

    fn claim_address(&mut self, address: IpAddr, chassis: &Id) {
        self.addresses.insert(address, chassis.clone());
        if self.remembered.get(&address) == Some(chassis) {
            self.addresses.set_holder(&address, Some(chassis.clone()));
        }
    }

    pub(super) fn mark_all(&mut self) {
        self.dirty.extend(self.all.keys().cloned());
    }

    pub(super) fn mark_chassis(&mut self, chassis: &Id) {
        self.dirty.insert(Binding::Chassis(chassis.clone()));
    }

    /// Marks the peer of a port, if it exists only for its ports.
    pub(super) fn mark_vtep(&mut self, at: &Binding) {
        if matches!(at, Binding::Vtep(_)) {
            self.dirty.insert(at.clone());
        }
    }

    /// The place of the host with ports that are bound there.
    pub(super) fn slot_of(&self, binding: &Binding) -> Option<PeerSlot> {
        self.state_of(binding).map(|peer| peer.slot)
    }

    /// The tunnel types that the host receives.
    pub(super) fn types_of(&self, binding: &Binding) -> Option<TunnelTypes> {
        self.state_of(binding).map(|peer| peer.types)
    }

    fn state_of(&self, binding: &Binding) -> Option<&PeerState> {
        let chassis = match binding {
            Binding::Chassis(_) => None,
            Binding::Vtep(address) => self.addresses.holder(address),
        };
        match chassis {
            Some(chassis) => self.all.get(&Binding::Chassis(chassis.clone())),
            None => self.all.get(binding),
        }
    }

    /// Records that one network more has ports at these places, and one less at those.
    pub(super) fn change_use(
        &mut self,
        more: impl Iterator<Item = PeerSlot>,
        less: impl Iterator<Item = PeerSlot>,
    ) {
        for slot in more {
            *self.networks.entry(slot).or_default() += 1;
            self.use_changed = true;
        }
        for slot in less {
            if let Some(networks) = self.networks.get_mut(&slot) {
                *networks -= 1;
                if *networks == 0 {
                    self.networks.remove(&slot);
                }
            }
            self.use_changed = true;
        }
    }

    fn holds_address(&self, binding: &Binding, address: IpAddr) -> bool {
        match (binding, self.addresses.holder(&address)) {
            (Binding::Chassis(chassis), Some(holder)) => holder == chassis,
            (Binding::Chassis(_), None) => false,
            (Binding::Vtep(_), holder) => holder.is_none(),
        }
    }

    /// What is wrong with an endpoint, by the subject of the problem.
    fn problem(&self, binding: &Binding, peer: &PeerState, own: Option<IpAddr>) -> Option<Problem> {
        let address = peer.address;
        if own == Some(address) {
            let reason = format!(
                "its ip {address} is the tunnel endpoint of this host, so its ports are not reached -> give it its own address, or this host another --local-ip"
            );
            return Some(Problem::new(binding.to_string(), reason));
        }
        let holder = self.addresses.holder(&address).filter(|_| !self.holds_address(binding, address))?;
        let Binding::Chassis(_) = binding else { return None };
        let reason = format!(
            "its ip {address} belongs to chassis {holder} already, so its ports are not reached -> give it its own address"
        );
        Some(Problem::new(binding.to_string(), reason))
    }
}

impl Compiler {
    /// Sets the paths to an endpoint.
    pub fn set_paths(&mut self, address: IpAddr, paths: Option<UnderlayPaths>) {
        if self.peers.paths.get(&address) == paths.as_ref() {
            return;
        }
        match paths {
            Some(paths) => drop(self.peers.paths.insert(address, paths)),
            None => drop(self.peers.paths.remove(&address)),
        }
        let at = self.peers.all.iter().filter(|(_, peer)| peer.address == address);
        let at: Vec<_> = at.map(|(binding, _)| binding.clone()).collect();
        self.peers.dirty.extend(at);
    }

    /// The paths that were set, by endpoint.
    pub fn paths(&self) -> impl Iterator<Item = (IpAddr, &UnderlayPaths)> {
        self.peers.paths.iter().map(|(address, paths)| (*address, paths))
    }

    /// The endpoints of the hosts with ports of networks here, if they may have changed since the last call.
    pub fn take_endpoints_in_use(&mut self) -> Option<BTreeSet<IpAddr>> {
        mem::take(&mut self.peers.use_changed).then(|| self.endpoints_in_use())
    }

    fn endpoints_in_use(&self) -> BTreeSet<IpAddr> {
        let own = self.endpoint();
        let used = self.peers.all.iter().filter(|(binding, peer)| {
            self.peers.networks.contains_key(&peer.slot) && self.peers.holds_address(binding, peer.address)
        });
        used.map(|(_, peer)| peer.address).filter(|address| Some(*address) != own).collect()
    }

    /// Whether a chassis, a path or the endpoint of this host has changed since the last compilation.
    pub(super) fn has_dirty_peers(&self) -> bool {
        !self.peers.dirty.is_empty() || self.tables.outside.endpoint != self.endpoint()
    }

    /// Compiles the hosts that have changed.
    pub(super) fn update_peers(&mut self) {
        if !self.has_dirty_peers() {
            return;
        }
        let own = self.endpoint();
        if self.tables.outside.endpoint != own {
            Arc::make_mut(&mut self.tables.outside).endpoint = own;
            self.uplinks_changed = true;
            self.peers.mark_all();
        }
        let mut compiled = BTreeSet::new();
        while let Some(binding) = self.peers.dirty.pop_first() {
            self.update_peer(&binding);
            compiled.insert(binding);
        }
        for binding in &compiled {
            self.compile_peer(binding, own);
        }
        self.peers.remembered.retain(|address, _| self.peers.addresses.holder(address).is_none());
        self.index_peers();
        self.peers.use_changed = true;
    }

    /// Creates, changes or removes the state of a peer, and marks what depends on it.
    fn update_peer(&mut self, binding: &Binding) {
        let now = match binding {
            Binding::Chassis(_) if self.is_own(binding) => None,
            Binding::Chassis(chassis) => {
                let record = self.northbound.chassis().get(chassis);
                record.map(|record| (record.ip, record.tunnel_types))
            }
            Binding::Vtep(address) => {
                let is_used = self.remote_ports.values().any(|port| port.at == *binding);
                is_used.then_some((*address, TunnelTypes::all()))
            }
        };
        let before = self.peers.all.get(binding).map(|peer| (peer.address, peer.types));
        if before == now {
            return;
        }
        let addresses = [before, now].map(|peer| peer.map(|(address, _)| address));
        if let Binding::Chassis(chassis) = binding {
            self.move_address(chassis, addresses);
        }
        if before.map(|(_, types)| types) != now.map(|(_, types)| types) {
            self.dirty_networks.extend(self.networks_at(binding));
        }
        match now {
            Some((address, types)) => self.insert_peer(binding, address, types),
            None => self.remove_peer(binding),
        }
    }

    /// Moves the claim of a chassis on an address, and marks those that gain or lose it.
    fn move_address(&mut self, chassis: &Id, [before, now]: [Option<IpAddr>; 2]) {
        if before == now {
            return;
        }
        let heir = before.and_then(|address| self.peers.addresses.remove_and_pass_on(&address, chassis));
        if let Some(heir) = heir {
            self.peers.mark_chassis(&heir);
        }
        if let Some(address) = now {
            self.peers.claim_address(address, chassis);
        }
        for address in before.into_iter().chain(now) {
            let vtep = Binding::Vtep(address);
            if self.peers.all.contains_key(&vtep) {
                self.dirty_networks.extend(self.networks_at(&vtep));
                self.peers.dirty.insert(vtep);
            }
        }
    }

    fn insert_peer(&mut self, binding: &Binding, address: IpAddr, types: TunnelTypes) {
        let peers = &mut self.peers;
        if let Some(peer) = peers.all.get_mut(binding) {
            (peer.address, peer.types) = (address, types);
            return;
        }
        let Some(slot) = peers.slots.allocate(u16::MAX.into()) else { return };
        let number = NonZeroU32::MIN.saturating_add(peers.last_number);
        peers.last_number = number.get();
        let peer = PeerState {
            slot: PeerSlot(slot as u16),
            number,
            address,
            types,
            counters: self.counters.peer(&binding.host_name()),
        };
        peers.all.insert(binding.clone(), peer);
        self.dirty_networks.extend(self.networks_at(binding));
    }

    fn remove_peer(&mut self, binding: &Binding) {
        let Some(peer) = self.peers.all.remove(binding) else { return };
        self.dirty_networks.extend(self.networks_at(binding));
        self.counters.remove_peer(&binding.host_name());
        self.tables.peers.set(usize::from(peer.slot.0), None);
        self.peers.slots.release(peer.slot.0.into());
    }

    fn compile_peer(&mut self, binding: &Binding, own: Option<IpAddr>) {
        let Some(peer) = self.peers.all.get(binding) else { return };
        let is_usable = own != Some(peer.address) && self.peers.holds_address(binding, peer.address);
        let paths = match self.peers.paths.get(&peer.address) {
            _ if !is_usable => Err(TunnelDrop::BadEndpoint),
            None => Err(TunnelDrop::NoRoute),
            Some(Err(reason)) => Err(*reason),
            Some(Ok(paths)) => Paths::new(paths.iter().map(|path| self.compile_path(path, peer.types)))
                .ok_or(TunnelDrop::NoRoute),
        };
        let entry =
            Peer { number: peer.number, address: peer.address, paths, counters: peer.counters.clone() };
        self.tables.peers.set(usize::from(peer.slot.0), Some(Arc::new(entry)));
    }

    fn compile_path(&self, path: &UnderlayPath, types: TunnelTypes) -> Path {
        let uplink = self.uplinks.values().find(|uplink| uplink.link.ifindex == path.ifindex);
        let link = uplink.map_or(LinkSlot::NONE, |uplink| uplink.link.slot);
        let header = |kind: TunnelType| {
            let is_supported = types.contains(kind.into());
            is_supported.then(|| OuterHeader::new(kind, &path.endpoints, self.host.forbids_fragments))?
        };
        Path::new(link, path.mtu, path.endpoints.destination_mac, header)
    }

    /// Makes the index by address.
    fn index_peers(&mut self) {
        let peers = self.peers.all.iter().filter(|(at, peer)| self.peers.holds_address(at, peer.address));
        let peers = peers.map(|(_, peer)| (peer.address, peer.slot));
        Arc::make_mut(&mut self.tables.outside).set_peers(peers);
    }

    /// Endpoints that are not usable.
    pub(super) fn peer_problems(&self) -> impl Iterator<Item = Problem> {
        let own = self.endpoint();
        self.peers.all.iter().filter_map(move |(binding, peer)| self.peers.problem(binding, peer, own))
    }

    /// The hosts in the tables, for views: where their ports are bound, and their place.
    pub fn peers(&self) -> impl Iterator<Item = (&Binding, PeerSlot, TunnelTypes)> {
        self.peers.all.iter().map(|(binding, peer)| (binding, peer.slot, peer.types))
    }
}
