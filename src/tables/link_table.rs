//! The compiled table of one link: the port that owns the link, and its subports at every level.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::network::network_of;
use super::{
    CounterBook, Identity, LINK_OWNER, LinkEntry, LinkSlot, MAX_NESTING, Port, PortReport, PortSlot,
    PortState, QueueOwners, TagMeaning, Tags, VlanTable,
};
use crate::nb::{LogicalPort, LogicalSwitch, Northbound};
use crate::types::{Id, IfIndex, LinkRole, Problem, Segmentation, TagPolicy, UnknownTags, Wants};

/// An open link of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLink {
    /// Place of the link in the tables.
    pub slot: LinkSlot,
    /// Index of the link in the kernel.
    pub ifindex: IfIndex,
    /// The port whose frames it carries, or an uplink.
    pub role: LinkRole,
    /// Whether the link has a carrier and is switched on.
    pub up: bool,
    /// The worker of each of its queues.
    pub queues: QueueOwners,
    /// Whether its peer may leave checksums partial.
    pub complete_checksums: bool,
    /// Bytes of the longest packet that it accepts.
    pub mtu: usize,
    /// Bytes of the longest frame that it accepts, with all tags.
    pub longest_frame: usize,
    /// An IP address that the host's own stack has on it, beyond link-local ones.
    pub host_address: Option<IpAddr>,
}

/// The table of a link during its compilation. Its ports have no networks yet.
#[derive(Debug)]
pub(super) struct LinkTable<'a> {
    pub(super) entry: LinkEntry,
    /// Empty when the link's port has no valid record.
    pub(super) ports: Vec<PlacedPort<'a>>,
    pub(super) problems: Vec<Problem>,
}

/// A port that a link carries.
#[derive(Debug)]
pub(super) struct PlacedPort<'a> {
    pub(super) record: &'a LogicalPort,
    pub(super) slot: PortSlot,
    /// `None` while the port is down.
    pub(super) network: Option<&'a LogicalSwitch>,
    pub(super) report: PortReport,
}

impl<'a> LinkTable<'a> {
    /// Compiles the table of `link`. Ports keep the numbers that they have in `numbers`.
    pub(super) fn of(
        nb: &'a Northbound,
        link: &LocalLink,
        unknown_tags: &TagPolicy,
        numbers: &BTreeMap<Id, u16>,
        counters: &CounterBook,
    ) -> Self {
        let entry = LinkEntry {
            ifindex: link.ifindex,
            queues: link.queues.clone(),
            wants: if link.complete_checksums { Wants::CHECKSUM } else { Wants::empty() },
            mtu: link.mtu,
            longest_frame: link.longest_frame,
            ports: Vec::new(),
        };
        let table = Self { entry, ports: Vec::new(), problems: Vec::new() };
        let taken = numbers.values().copied().collect();
        let mut compiler = LinkCompiler { nb, unknown_tags, numbers, taken, free: 1, counters, table };
        compiler.add_root(link);
        compiler.table
    }
}

/// Whether the port holds its `unique_key`, which others may claim.
pub(super) fn owns_key(nb: &Northbound, port: &LogicalPort) -> bool {
    nb.lport_with_key(port.key).is_some_and(|owner| owner.id == port.id)
}

struct LinkCompiler<'a, 'n> {
    nb: &'a Northbound,
    unknown_tags: &'n TagPolicy,
    numbers: &'n BTreeMap<Id, u16>,
    /// Numbers that belong to ports already.
    taken: BTreeSet<u16>,
    /// No number below it is free.
    free: u16,
    counters: &'n CounterBook,
    table: LinkTable<'a>,
}

impl<'a> LinkCompiler<'a, '_> {
    fn add_root(&mut self, link: &LocalLink) {
        let record = link
            .role
            .port()
            .and_then(|lport| self.nb.lports().get(lport))
            .filter(|port| owns_key(self.nb, port));
        let Some(record) = record else { return };
        if let Some(segmentation) = self.nb.segmentation_above(&record.id) {
            let reason = format!(
                "it is a subport of {} by segmentation {}, so its own link is ignored: remove one of the two",
                segmentation.parent, segmentation.id,
            );
            self.table.problems.push(Problem::new(format!("lport {}", record.id), reason));
            return;
        }
        let state = match (record.enabled, link.up) {
            (false, _) => PortState::Disabled,
            (true, false) => PortState::LinkDown,
            (true, true) => PortState::Up,
        };
        let slot = PortSlot { link: link.slot, number: LINK_OWNER };
        self.add_port(record, slot, state, (Tags::new(), None));
    }

    /// Adds a port, and its subports at every level.
    fn add_port(
        &mut self,
        record: &'a LogicalPort,
        slot: PortSlot,
        state: PortState,
        (tags, parent): (Tags, Option<(Id, Segmentation)>),
    ) {
        let (state, network) = self.resolve_network(record, state);
        let counters = self.counters.port(&record.id);
        let port = Port {
            identity: Identity::of_port(record.key),
            network: None,
            tags: tags.clone(),
            subports: None,
            filter: None,
            source_rules: record.source_rules.clone(),
            counters,
        };
        self.table.entry.insert(slot.number, port);
        if record.is_filtered {
            self.table.entry.wants |= Wants::PERMIT;
        }
        self.table.ports.push(PlacedPort { record, slot, network, report: PortReport { state, parent } });

        let unknown = self.unknown_tags.of(&record.id, &record.lswitch);
        let mut tag_table = (unknown == UnknownTags::Drop).then(|| VlanTable::empty(slot.link, unknown));
        let nb = self.nb;
        for (tag, segmentation) in nb.tags_of(&record.id) {
            let Segmentation::Vlan(vid) = tag;
            let meaning = match segmentation.and_then(|segmentation| nb.lports().get(&segmentation.port)) {
                Some(subport) => self.add_subport((record, slot, state, &tags), subport, tag),
                // Claimed without a holder: its frames do not belong to the parent.
                None => TagMeaning::Unusable,
            };
            tag_table.get_or_insert_with(|| VlanTable::empty(slot.link, unknown)).set(vid, meaning);
        }
        if let Some(port) = self.table.entry.port_mut(slot.number) {
            if tag_table.is_some() {
                port.counters.watch_tags();
            }
            if record.has_port_security() {
                port.counters.watch_macs();
            }
            port.subports = tag_table;
        }
    }

    /// The network of a port in state `Up`. Without one the state becomes [`PortState::NoNetwork`].
    fn resolve_network(
        &mut self,
        record: &'a LogicalPort,
        state: PortState,
    ) -> (PortState, Option<&'a LogicalSwitch>) {
        if state != PortState::Up {
            return (state, None);
        }
        match network_of(self.nb, record) {
            Ok(network) => (state, Some(network)),
            Err(problem) => {
                self.table.problems.push(problem);
                (PortState::NoNetwork, None)
            }
        }
    }

    fn add_subport(
        &mut self,
        (parent, parent_slot, parent_state, parent_tags): (&LogicalPort, PortSlot, PortState, &Tags),
        subport: &'a LogicalPort,
        tag: Segmentation,
    ) -> TagMeaning {
        if !owns_key(self.nb, subport) {
            return TagMeaning::Unusable;
        }
        let Some(tags) = tags_below(parent_tags, tag) else {
            let reason =
                format!("more than {MAX_NESTING} levels of subports below each other: move it further up");
            return self.reject(subport, reason);
        };
        let Some(number) = self.number_of(&subport.id) else {
            let reason = format!("more than {} ports on one link: move it to another", LinkEntry::MAX_PORTS);
            return self.reject(subport, reason);
        };
        let state = match (parent_state, subport.enabled) {
            (PortState::Up, true) => PortState::Up,
            (PortState::Up, false) => PortState::Disabled,
            _ => PortState::ParentDown,
        };
        let slot = PortSlot { link: parent_slot.link, number };
        self.add_port(subport, slot, state, (tags, Some((parent.id.clone(), tag))));
        TagMeaning::Subport(slot)
    }

    fn reject(&mut self, subport: &LogicalPort, reason: String) -> TagMeaning {
        self.table.problems.push(Problem::new(format!("lport {}", subport.id), reason));
        TagMeaning::Unusable
    }

    /// The previous number of the port, or a free one.
    fn number_of(&mut self, lport: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(lport) {
            return Some(*number);
        }
        let number = (self.free..LinkEntry::MAX_PORTS).find(|number| !self.taken.contains(number))?;
        self.free = number + 1;
        Some(number)
    }
}

/// The tags of a subport; `None` for more than [`MAX_NESTING`].
fn tags_below(parent: &Tags, tag: Segmentation) -> Option<Tags> {
    let Segmentation::Vlan(vid) = tag;
    // The subport's own tag is the innermost: it is pushed first.
    let tags: Tags = std::iter::once(vid).chain(parent.iter().copied()).take(MAX_NESTING).collect();
    (tags.len() == parent.len() + 1).then_some(tags)
}
