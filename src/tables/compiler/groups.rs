//! The filters of ports: one for each set of security groups that ports here have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Compiler;
use crate::nb::{Membership, Northbound, SecurityGroup};
use crate::tables::{AddressSet, Filter, FilterSlot, PortFilter, QuotaSlot};
use crate::types::{GroupRule, Id, Problem, SlotAllocator};

/// The groups in use by ports here, compiled.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By the ids of the groups of a port.
    filters: BTreeMap<Box<[Id]>, FilterState>,
    filter_slots: SlotAllocator,
    /// The ports that are filtered, by id.
    ports: BTreeMap<Id, FilteredPort>,
    quota_slots: SlotAllocator,
    /// Filtered ports for which there was no place.
    closed: BTreeSet<Id>,
    /// The addresses of each group that a rule in a filter names.
    sets: BTreeMap<Id, SetState>,
    /// The number of the last filter.
    generation: u32,
    /// Groups whose records have changed, and those whose addresses have.
    dirty: BTreeSet<Id>,
    dirty_sets: BTreeSet<Id>,
}

#[derive(Debug)]
struct FilterState {
    slot: FilterSlot,
    /// The ports that have these groups.
    ports: BTreeSet<Id>,
    /// The groups that the rules name, in the order of the filter's address sets.
    named: Vec<Id>,
}

#[derive(Debug)]
struct FilteredPort {
    groups: Box<[Id]>,
    quota: QuotaSlot,
}

#[derive(Debug)]
struct SetState {
    addresses: Arc<AddressSet>,
    /// The number of filters whose rules name the group.
    filters: usize,
}

impl Groups {
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.dirty_sets.is_empty()
    }

    pub(super) fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Marks a group whose record has changed.
    pub(super) fn mark(&mut self, group: Id) {
        self.dirty.insert(group);
    }

    /// Moves a port from the groups that it had to those that it has.
    pub(super) fn change_membership(&mut self, before: Option<&Membership>, now: Option<&Membership>) {
        if before == now {
            return;
        }
        let changes: [(_, fn(&mut AddressSet, _)); 2] =
            [(before, AddressSet::remove), (now, AddressSet::insert)];
        for (membership, change) in changes {
            let Some(Membership { groups, addresses }) = membership else { continue };
            for group in groups {
                if let Some(set) = self.sets.get_mut(group) {
                    let set = Arc::make_mut(&mut set.addresses);
                    addresses.iter().for_each(|address| change(set, *address));
                    self.dirty_sets.insert(group.clone());
                }
            }
        }
    }

    fn next_generation(&mut self) -> u32 {
        self.generation += 1;
        self.generation
    }

    /// Begins to use the addresses of groups.
    fn use_sets(&mut self, named: &[Id], nb: &Northbound) {
        for group in named {
            let set = self.sets.entry(group.clone()).or_insert_with(|| {
                let mut addresses = AddressSet::default();
                let ports = nb.lports_in(group).filter_map(|port| port.membership.as_ref());
                ports.flat_map(|membership| &membership.addresses).for_each(|ip| addresses.insert(*ip));
                SetState { addresses: Arc::new(addresses), filters: 0 }
            });
            set.filters += 1;
        }
    }

    fn leave_sets(&mut self, named: &[Id]) {
        for group in named {
            if let Some(set) = self.sets.get_mut(group) {
                set.filters -= 1;
                if set.filters == 0 {
                    self.sets.remove(group);
                }
            }
        }
    }

    fn sets_of(&self, named: &[Id]) -> Box<[Arc<AddressSet>]> {
        let sets = named.iter().map(|group| self.sets.get(group));
        sets.map(|set| set.map(|set| Arc::clone(&set.addresses)).unwrap_or_default()).collect()
    }

    /// Compiles the filter of these groups. Returns the groups that its rules name as well.
    fn compile(&mut self, groups: &[Id], nb: &Northbound) -> (Filter, Vec<Id>) {
        let records: Vec<_> = groups.iter().filter_map(|group| nb.secgroups().get(group)).collect();
        // With a group missing the port is closed until it comes.
        let records = if records.len() == groups.len() { records } else { Vec::new() };
        let mut named = Vec::<Id>::new();
        let place = |group: &Id| {
            named.iter().position(|known| known == group).unwrap_or_else(|| {
                named.push(group.clone());
                named.len() - 1
            })
        };
        let [stateful, stateless] = [false, true].map(|is_stateless| {
            let groups = records.iter().filter(move |group| nb.is_stateless(&group.id) == is_stateless);
            groups.flat_map(|group| &group.rules).collect::<Vec<&GroupRule>>()
        });
        let filter = Filter::of(self.next_generation(), stateful.into_iter(), stateless.into_iter(), place);
        self.use_sets(&named, nb);
        (filter.with_sets(self.generation, self.sets_of(&named)), named)
    }
}

impl Compiler {
    /// The ports here that are filtered, and the groups of each.
    pub fn filtered_ports(&self) -> impl Iterator<Item = (&Id, &[Id])> {
        self.groups.ports.iter().map(|(lport, port)| (lport, &*port.groups))
    }

    /// What filters a port that is compiled now; `None` for one that is not filtered. One for which there is no
    /// place is closed.
    pub(super) fn filter_of(&mut self, lport: &Id) -> Option<PortFilter> {
        let port = self.northbound.lports().get(lport).filter(|port| port.is_filtered);
        let Some(membership) = port.map(|port| port.membership.clone()) else {
            self.release_filter(lport);
            return None;
        };
        let groups = membership.as_ref().map_or(&[][..], |membership| &membership.groups);
        Some(self.enter(lport, groups).unwrap_or_else(|| {
            self.release_filter(lport);
            self.groups.closed.insert(lport.clone());
            PortFilter::CLOSED
        }))
    }

    /// Gives a port the filter of its groups, and a quota; `None` if there are too many of one of them.
    fn enter(&mut self, lport: &Id, groups: &[Id]) -> Option<PortFilter> {
        let rules = self.join(lport, groups)?;
        let had = self.groups.ports.get(lport).map(|had| (had.groups.clone(), had.quota));
        let quota = match &had {
            Some((_, quota)) => Some(*quota),
            None => self.groups.quota_slots.allocate(QuotaSlot::COUNT).map(|slot| QuotaSlot(slot as u16)),
        };
        let Some(quota) = quota else {
            self.leave(lport, groups);
            return None;
        };
        if let Some((before, _)) = had.filter(|(before, _)| **before != *groups) {
            self.leave(lport, &before);
        }
        self.groups.closed.remove(lport);
        self.groups.ports.insert(lport.clone(), FilteredPort { groups: groups.into(), quota });
        Some(PortFilter { rules, quota })
    }

    fn join(&mut self, lport: &Id, groups: &[Id]) -> Option<FilterSlot> {
        if !self.groups.filters.contains_key(groups) {
            let slot = FilterSlot::new(self.groups.filter_slots.allocate(FilterSlot::COUNT)? as u16);
            let (filter, named) = self.groups.compile(groups, &self.northbound);
            self.tables.filters.set(slot.number().into(), Some(Arc::new(filter)));
            let state = FilterState { slot, ports: BTreeSet::new(), named };
            self.groups.filters.insert(groups.into(), state);
        }
        let filter = self.groups.filters.get_mut(groups)?;
        filter.ports.insert(lport.clone());
        Some(filter.slot)
    }

    fn leave(&mut self, lport: &Id, groups: &[Id]) {
        let Some(filter) = self.groups.filters.get_mut(groups) else { return };
        filter.ports.remove(lport);
        if filter.ports.is_empty()
            && let Some(filter) = self.groups.filters.remove(groups)
        {
            self.groups.leave_sets(&filter.named);
            self.tables.filters.set(filter.slot.number().into(), None);
            self.groups.filter_slots.release(filter.slot.number().into());
        }
    }

    /// Forgets the filter of a port that is no longer here, or no longer filtered.
    pub(super) fn release_filter(&mut self, lport: &str) {
        self.groups.closed.remove(lport);
        if let Some((id, port)) = self.groups.ports.remove_entry(lport) {
            self.leave(&id, &port.groups);
            self.groups.quota_slots.release(port.quota.0.into());
        }
    }

    /// Compiles the filters of groups that have changed.
    pub(super) fn update_filters(&mut self) {
        let dirty = std::mem::take(&mut self.groups.dirty);
        let dirty_sets = std::mem::take(&mut self.groups.dirty_sets);
        if dirty.is_empty() && dirty_sets.is_empty() {
            return;
        }
        let filters: Vec<_> = self.groups.filters.keys().cloned().collect();
        for groups in filters {
            let Some(state) = self.groups.filters.get(&groups) else { continue };
            let (slot, named) = (state.slot, state.named.clone());
            if groups.iter().any(|group| dirty.contains(group)) {
                let (filter, now) = self.groups.compile(&groups, &self.northbound);
                self.groups.leave_sets(&named);
                if let Some(state) = self.groups.filters.get_mut(&groups) {
                    state.named = now;
                }
                self.tables.filters.set(slot.number().into(), Some(Arc::new(filter)));
            } else if named.iter().any(|group| dirty_sets.contains(group)) {
                let (generation, sets) = (self.groups.next_generation(), self.groups.sets_of(&named));
                let filter = self.tables.filter(slot).map(|filter| filter.with_sets(generation, sets));
                self.tables.filters.set(slot.number().into(), filter.map(Arc::new));
            }
        }
    }

    /// Ports that wait for a group, or for which there is no place, remote groups without a record, and rules
    /// that allow nothing.
    pub(super) fn group_problems(&self) -> impl Iterator<Item = Problem> {
        let nb = &self.northbound;
        let waiting = self.groups.filters.iter().flat_map(move |(groups, filter)| {
            let missing = groups.iter().filter(|group| !nb.secgroups().contains_key(*group));
            missing.flat_map(|group| filter.ports.iter().map(move |port| waits_for(port, group)))
        });
        let closed = self.groups.closed.iter().map(has_no_place);
        let unknown = self.groups.sets.keys().filter(|group| !nb.secgroups().contains_key(*group));
        let unknown = unknown.map(is_no_remote_group);
        waiting.chain(closed).chain(unknown).chain(nb.secgroups().values().flat_map(unclear))
    }
}

fn waits_for(port: &Id, group: &Id) -> Problem {
    let reason = format!(
        "waits for its security group {group}, which table secgroup does not have, and is closed to IP until it comes: create it, or remove it from the port"
    );
    Problem::new(format!("lport {port}"), reason)
}

fn is_no_remote_group(group: &Id) -> Problem {
    let reason = "is the remote group of a rule in use, and table secgroup does not have it: the rule allows the ports that have it, if there are any -> create it, or remove the rule";
    Problem::new(format!("secgroup {group}"), reason)
}

fn has_no_place(port: &Id) -> Problem {
    let most = QuotaSlot::COUNT;
    let reason = format!(
        "is closed to IP, as there are {most} ports with port security here: move it to another host"
    );
    Problem::new(format!("lport {port}"), reason)
}

fn unclear(group: &SecurityGroup) -> impl Iterator<Item = Problem> {
    group.unclear.iter().map(|(rule, error)| {
        let reason = format!("its rule {rule} allows nothing: {error}");
        Problem::new(format!("secgroup {}", group.id), reason)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nb::{Change, Record, Table};
    use crate::tables::Policy;

    fn put(compiler: &mut Compiler, lport: &str) {
        let json =
            json!({"id": lport, "unique_key": 1, "lswitch": "n", "macs": [], "port_security_enabled": true});
        compiler.apply_change(&Change::Put(Record { table: Table::Lport, id: lport.to_owned(), json }));
    }

    #[test]
    fn a_port_for_which_there_is_no_place_is_closed_until_there_is_one() {
        let mut compiler = Compiler::new(1, Policy::default());
        for lport in ["a", "b"] {
            put(&mut compiler, lport);
        }
        let [a, b] = ["a", "b"].map(Id::from);
        assert_ne!(compiler.filter_of(&a), Some(PortFilter::CLOSED));
        while compiler.groups.quota_slots.allocate(QuotaSlot::COUNT).is_some() {}
        let closed = compiler.filter_of(&b).expect("a filtered port");
        assert!(compiler.tables.filter(closed.rules).is_none(), "nothing is allowed");
        let problems =
            |compiler: &Compiler| compiler.group_problems().map(|p| p.to_string()).collect::<Vec<_>>();
        assert!(problems(&compiler)[0].contains("lport b: is closed to IP"), "{:?}", problems(&compiler));

        compiler.release_filter("a");
        let open = compiler.filter_of(&b).expect("a filtered port");
        assert!(compiler.tables.filter(open.rules).is_some());
        assert_eq!(problems(&compiler), [""; 0]);
    }
}
