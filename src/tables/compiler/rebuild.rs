//! Compilation of dirty links, and of the networks that their ports join or leave.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Compiler, LinkState, Members, NetworkState, Placed, PortIds};
use crate::nb::{Binding, LogicalSwitch, compact};
use crate::tables::claims::root_of;
use crate::tables::link_table::LinkTable;
use crate::tables::network::{Member, Segment, Side};
use crate::tables::pairs::PairHolders;
use crate::tables::{Network, NetworkSlot, Tables};
use crate::types::{Id, LinkRole, MacAddr, NetworkKey, Problem, SlotAllocator};

/// Members of networks, by the ids of the networks.
type Memberships = BTreeMap<Id, Members>;

impl Compiler {
    /// Brings the tables up to date, and returns them.
    #[must_use]
    pub fn compile(&mut self) -> Tables {
        self.update_remote_ports();
        self.update_peers();
        self.update_filters();
        let roots = self.dirty_roots();
        let mut left = Memberships::new();
        let numbers: Vec<_> = roots.iter().map(|root| self.detach(root, &mut left)).collect();
        let mut joined = Memberships::new();
        for (root, numbers) in roots.iter().zip(&numbers) {
            self.compile_link(root, numbers, &mut joined);
        }
        for lport in numbers.iter().flat_map(BTreeMap::keys) {
            if !self.placed.contains_key(lport) {
                self.release_filter(lport);
            }
        }
        self.tables.has_filters = self.groups.has_filters();
        self.update_networks(&left, &joined);
        self.update_uplinks();
        if roots.len() > self.compiled_links.len() / 2 {
            self.compact();
        }
        self.tables.clone()
    }

    /// Removes spare room from the maps, after most of their entries were replaced.
    fn compact(&mut self) {
        compact(&mut self.placed);
        self.compiled_links.values_mut().for_each(|link| compact(&mut link.numbers));
        self.networks.values_mut().for_each(|network| compact(&mut network.members));
        self.counters.compact();
    }

    /// The owners of the links that carry dirty ports now, or will after this compilation.
    fn dirty_roots(&mut self) -> BTreeSet<Id> {
        let dirty: PortIds = std::mem::take(&mut self.dirty);
        let mut roots = BTreeSet::new();
        for lport in &dirty {
            roots.extend(self.placed.get(lport).map(|placed| placed.root.clone()));
            let owner = root_of(&self.northbound, lport).into_iter().chain([lport.as_str()]);
            let has_link =
                |owner: &&str| self.links.contains_key(*owner) || self.compiled_links.contains_key(*owner);
            roots.extend(owner.filter(has_link).map(Id::from));
        }
        roots
    }

    /// Removes a link from the tables, and its ports from their networks. Returns the numbers of its ports.
    fn detach(&mut self, root: &str, left: &mut Memberships) -> BTreeMap<Id, u16> {
        let Some(link) = self.compiled_links.remove(root) else { return BTreeMap::new() };
        self.tables.links.set(usize::from(link.slot.0), None);
        for lport in link.numbers.keys() {
            let network = self.placed.remove(lport).and_then(|placed| placed.network);
            let Some(network) = network else { continue };
            let member = self.networks.get_mut(&network).and_then(|network| network.members.remove(lport));
            if let Some(member) = member {
                left.entry(network).or_default().insert(lport.clone(), member);
            }
        }
        self.rebuilt.extend(link.numbers.keys().cloned());
        link.numbers
    }

    /// Adds a link to the tables, and its ports to their networks.
    fn compile_link(&mut self, root: &str, numbers: &BTreeMap<Id, u16>, joined: &mut Memberships) {
        let Some(link) = self.links.get(root) else { return };
        let LinkRole::Port(owner) = link.role.clone() else { return };
        let slot = link.slot;
        let LinkTable { mut entry, ports, problems } =
            LinkTable::of(&self.northbound, link, &self.policy.unknown_tags, numbers, &self.counters);
        let mut numbers = BTreeMap::new();
        for port in ports {
            let id = &port.record.id;
            numbers.insert(id.clone(), port.slot.number);
            let network = port.network.map(|network| {
                let slots = &mut self.network_slots;
                let state = self.networks.entry(network.id.clone());
                let state = state.or_insert_with(|| NetworkState::new(network.key, slots));
                entry.set_network(port.slot.number, state.slot);
                let member = Member {
                    key: port.record.key,
                    slot: port.slot,
                    side: Side::Here,
                    macs: Arc::clone(&port.record.macs),
                    source_rules: port.record.source_rules.clone(),
                };
                state.members.insert(id.clone(), member.clone());
                joined.entry(network.id.clone()).or_default().insert(id.clone(), member);
                network.id.clone()
            });
            let placed = Placed { root: owner.clone(), network, report: port.report };
            self.placed.insert(id.clone(), placed);
        }
        for (lport, number) in &numbers {
            let filter = self.filter_of(lport);
            entry.set_filter(*number, filter);
        }
        // A link whose port has no valid record is not in the tables: its frames are dropped.
        let entry = (!numbers.is_empty()).then(|| Arc::new(entry));
        self.tables.links.set(usize::from(slot.0), entry);
        self.rebuilt.extend(numbers.keys().cloned());
        self.compiled_links.insert(owner.clone(), LinkState { slot, numbers, problems });
    }

    /// Builds the networks whose members, keys, claims or segments have changed.
    fn update_networks(&mut self, left: &Memberships, joined: &Memberships) {
        let dirty = std::mem::take(&mut self.dirty_networks);
        let ids: BTreeSet<_> = left.keys().chain(joined.keys()).chain(&dirty).collect();
        for id in ids {
            let Some(state) = self.networks.get(id) else { continue };
            let Some(lswitch) = self.northbound.lswitches().get(id).filter(|_| !state.members.is_empty())
            else {
                self.remove_network(id);
                continue;
            };
            if left.get(id) == joined.get(id) && state.key == lswitch.key && !dirty.contains(id) {
                continue;
            }
            let key = lswitch.key;
            let (segment, mut problems) = match self.segment_of(lswitch) {
                Ok(segment) => (segment, Vec::new()),
                Err(problem) => (None, vec![problem]),
            };
            problems.extend(self.unreachable_hosts(lswitch, segment));
            let network = self.build_network(id, (key, segment), (left, joined), &mut problems);
            let Some(state) = self.networks.get_mut(id) else { continue };
            state.key = key;
            state.problems = problems;
            self.replace_network(id, segment, Some(network));
        }
    }

    fn build_network(
        &mut self,
        id: &Id,
        (key, segment): (NetworkKey, Option<Segment>),
        (left, joined): (&Memberships, &Memberships),
        problems: &mut Vec<Problem>,
    ) -> Network {
        let remote = segment.map(|segment| self.remote_members(id, segment)).unwrap_or_default();
        let state = self.networks.entry(id.clone());
        let state = state.or_insert_with(|| NetworkState::new(key, &mut self.network_slots));
        let mut members = Cow::Borrowed(&state.members);
        if !remote.is_empty() {
            members.to_mut().extend(remote);
        }
        let tables = self.tables.network(state.slot);
        let had = |lport: &Id, mac: MacAddr| {
            let moved = |members: &Memberships| members.get(id)?.get(lport).map(|member| member.slot);
            let stayed = || members.get(lport).map(|member| member.slot);
            let slot = moved(left).or_else(|| moved(joined).is_none().then(stayed).flatten());
            slot.is_some() && tables.and_then(|network| network.macs.get(&mac)).copied() == slot
        };
        let (mut network, found) = Network::of(id, (key, segment), &members, &mut self.mac_holders, had);
        problems.extend(found);
        let lports = self.northbound.lports_on(id);
        problems.extend(network.add_pairs(id, &members, lports, &mut state.pair_holders));
        network
    }

    fn remove_network(&mut self, id: &Id) {
        self.replace_network(id, None, None);
        if let Some(state) = self.networks.remove(id) {
            self.network_slots.release(state.slot.number() as u32);
        }
        if self.northbound.lswitches().get(id).is_none() {
            self.counters.remove_segment(id);
        }
    }

    /// Puts a network, or none, into the tables, with everything that leads to it.
    fn replace_network(&mut self, id: &Id, segment: Option<Segment>, network: Option<Network>) {
        let Some(state) = self.networks.get_mut(id) else { return };
        let slot = state.slot;
        let before = std::mem::replace(&mut state.segment, segment);
        if before != segment {
            let outside = Arc::make_mut(&mut self.tables.outside);
            if let Some(tunnel) = before.and_then(Segment::tunnel) {
                outside.remove_network(tunnel, slot);
            }
            if let Some(tunnel) = segment.and_then(Segment::tunnel) {
                outside.insert_network(tunnel, slot);
            }
            self.move_wire(id, [before, segment].map(|segment| segment.and_then(Segment::wire)));
        }
        let less = self.tables.network(slot).into_iter().flat_map(Network::hosts);
        let more = network.iter().flat_map(Network::hosts);
        self.peers.change_use(more, less);
        self.tables.networks.set(slot.number(), network.map(Arc::new));
    }

    /// The hosts with ports of a network that its tunnel does not reach.
    fn unreachable_hosts(&self, lswitch: &LogicalSwitch, segment: Option<Segment>) -> Vec<Problem> {
        let Some(tunnel) = segment.and_then(Segment::tunnel) else { return Vec::new() };
        let ports = self.northbound.lports_on(&lswitch.id).filter_map(|port| self.remote_ports.get(&port.id));
        let places: BTreeSet<_> = ports.map(|port| &port.at).collect();
        let problems = places.into_iter().filter_map(|at| {
            let Binding::Chassis(_) = at else { return None };
            let network = &lswitch.id;
            let reason = match self.peers.types_of(at) {
                None => format!(
                    "table chassis has no record of it, so its ports of network {network} are not reached -> start the switch there, or remove the ports"
                ),
                Some(types) if !types.contains(tunnel.kind().into()) => format!(
                    "it receives {types}, so its ports of network {network} ({tunnel}) are not reached -> add {} to its tunnel_types, or give the network another type",
                    tunnel.kind()
                ),
                Some(_) => return None,
            };
            Some(Problem::new(at.to_string(), reason))
        });
        problems.collect()
    }
}

impl NetworkState {
    fn new(key: NetworkKey, slots: &mut SlotAllocator) -> Self {
        // Never exhausted: there are fewer networks than ports, and fewer ports than numbers.
        let slot = NetworkSlot::new(slots.allocate(u32::MAX).unwrap_or(u32::MAX));
        Self {
            key,
            slot,
            members: Members::new(),
            pair_holders: PairHolders::new(),
            segment: None,
            problems: Vec::new(),
        }
    }
}
