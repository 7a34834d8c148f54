//! One link's piece of the tables: the port that owns the device, and everything that hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use super::network::network_of;
use super::{
    CounterBook, LINK_OWNER, LinkEntry, LinkSlot, MAX_NESTING, Port, PortReport, PortSlot, PortState,
    QueueOwners, TagMeaning, Tags, VlanTable, Wrap,
};
use crate::nb::{LogicalPort, LogicalSwitch, Northbound};
use crate::types::{Id, IfIndex, Problem, Segmentation, TagPolicy, UnknownTags, Wants};

/// A device of this host that carries a logical port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLink {
    /// Its place in the tables.
    pub slot: LinkSlot,
    /// The kernel's index of it.
    pub ifindex: IfIndex,
    /// The id of the logical port.
    pub lport: Id,
    /// Whether it is up.
    pub up: bool,
    /// The worker of each of its queues.
    pub queues: QueueOwners,
    /// Whether its peer may leave checksums partial.
    pub complete_checksums: bool,
    /// Bytes of the longest packet that it takes.
    pub mtu: usize,
    /// Bytes of the longest frame that can leave by it, tags and all.
    pub longest_frame: usize,
}

/// A link's piece of the tables in the making. Its ports have no networks yet.
#[derive(Debug)]
pub(super) struct LinkTable<'a> {
    pub(super) entry: LinkEntry,
    /// Empty when the link's port has no record that can be used.
    pub(super) ports: Vec<PlacedPort<'a>>,
    pub(super) problems: Vec<Problem>,
}

/// A port that hangs on a link.
#[derive(Debug)]
pub(super) struct PlacedPort<'a> {
    pub(super) record: &'a LogicalPort,
    pub(super) slot: PortSlot,
    /// Its network, if it is up.
    pub(super) network: Option<&'a LogicalSwitch>,
    pub(super) report: PortReport,
}

/// Gathers what hangs on `link`. Ports keep the numbers that they have in `numbers`.
pub(super) fn gather<'a>(
    nb: &'a Northbound,
    link: &LocalLink,
    unknown_tags: &TagPolicy,
    numbers: &BTreeMap<Id, u16>,
    counters: &mut CounterBook,
) -> LinkTable<'a> {
    let entry = LinkEntry {
        ifindex: link.ifindex,
        queues: link.queues.clone(),
        wants: if link.complete_checksums { Wants::CHECKSUM } else { Wants::empty() },
        mtu: link.mtu,
        longest_frame: link.longest_frame,
        ports: Vec::new(),
    };
    let piece = LinkTable { entry, ports: Vec::new(), problems: Vec::new() };
    let taken = numbers.values().copied().collect();
    let mut gatherer = Gatherer { nb, unknown_tags, numbers, taken, free: 1, counters, piece };
    gatherer.add_root(link);
    gatherer.piece
}

/// Whether the port has its `unique_key`, which others may claim.
pub(super) fn owns_key(nb: &Northbound, port: &LogicalPort) -> bool {
    nb.lport_with_key(port.key).is_some_and(|owner| owner.id == port.id)
}

struct Gatherer<'a, 'n> {
    nb: &'a Northbound,
    unknown_tags: &'n TagPolicy,
    numbers: &'n BTreeMap<Id, u16>,
    /// Numbers that are some port's already.
    taken: BTreeSet<u16>,
    /// No number below it is free.
    free: u16,
    counters: &'n mut CounterBook,
    piece: LinkTable<'a>,
}

impl<'a> Gatherer<'a, '_> {
    fn add_root(&mut self, link: &LocalLink) {
        let record = self.nb.lports().get(&link.lport).filter(|port| owns_key(self.nb, port));
        let Some(record) = record else { return };
        if let Some(segmentation) = self.nb.segmentation_above(&record.id) {
            let reason = format!(
                "it is a subport of {} by segmentation {}, so the device it also has is left out: remove one of the two",
                segmentation.parent, segmentation.id,
            );
            self.piece.problems.push(Problem::new(format!("lport {}", record.id), reason));
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

    /// Adds a port, and below it its subports, and theirs.
    fn add_port(
        &mut self,
        record: &'a LogicalPort,
        slot: PortSlot,
        state: PortState,
        (tags, parent): (Tags, Option<(Id, Segmentation)>),
    ) {
        let (state, network) = self.join(record, state);
        let counters = self.counters.port(&record.id);
        let port = Port {
            key: record.key,
            network: None,
            wrap: Wrap::Tags(tags.clone()),
            subports: None,
            source_rules: record.source_rules.clone(),
            counters,
        };
        self.piece.entry.insert(slot.number, port);
        self.piece.ports.push(PlacedPort { record, slot, network, report: PortReport { state, parent } });

        let unknown = self.unknown_tags.of(&record.id, &record.lswitch);
        let mut table = (unknown == UnknownTags::Drop).then(|| VlanTable::empty(slot.link, unknown));
        let nb = self.nb;
        for (tag, segmentation) in nb.tags_of(&record.id) {
            let Segmentation::Vlan(vid) = tag;
            let meaning = match segmentation.and_then(|segmentation| nb.lports().get(&segmentation.port)) {
                Some(child) => self.add_subport((record, slot, state, &tags), child, tag),
                // Claimed, but held by nobody: its frames are no longer the parent's.
                None => TagMeaning::Unusable,
            };
            table.get_or_insert_with(|| VlanTable::empty(slot.link, unknown)).set(vid, meaning);
        }
        if let Some(port) = self.piece.entry.port_mut(slot.number) {
            if table.is_some() {
                port.counters.watch_tags();
            }
            if record.has_port_security() {
                port.counters.watch_macs();
            }
            port.subports = table;
        }
    }

    /// The network of a port that would be up, or why it is not.
    fn join(&mut self, record: &'a LogicalPort, state: PortState) -> (PortState, Option<&'a LogicalSwitch>) {
        if state != PortState::Up {
            return (state, None);
        }
        match network_of(self.nb, record) {
            Ok(network) => (state, Some(network)),
            Err(problem) => {
                self.piece.problems.push(problem);
                (PortState::NoNetwork, None)
            }
        }
    }

    fn add_subport(
        &mut self,
        (parent, parent_slot, parent_state, parent_tags): (&LogicalPort, PortSlot, PortState, &Tags),
        child: &'a LogicalPort,
        tag: Segmentation,
    ) -> TagMeaning {
        if !owns_key(self.nb, child) {
            return TagMeaning::Unusable;
        }
        let Some(tags) = tags_below(parent_tags, tag) else {
            let reason =
                format!("more than {MAX_NESTING} levels of subports below each other: move it further up");
            return self.leave_out(child, reason);
        };
        let Some(number) = self.number(&child.id) else {
            let reason =
                format!("more than {} ports hang on one device: move it to another", LinkEntry::MAX_PORTS);
            return self.leave_out(child, reason);
        };
        let state = match (parent_state, child.enabled) {
            (PortState::Up, true) => PortState::Up,
            (PortState::Up, false) => PortState::Disabled,
            _ => PortState::ParentDown,
        };
        let slot = PortSlot { link: parent_slot.link, number };
        self.add_port(child, slot, state, (tags, Some((parent.id.clone(), tag))));
        TagMeaning::Subport(slot)
    }

    fn leave_out(&mut self, child: &LogicalPort, reason: String) -> TagMeaning {
        self.piece.problems.push(Problem::new(format!("lport {}", child.id), reason));
        TagMeaning::Unusable
    }

    /// The number that the port had, or a new one.
    fn number(&mut self, lport: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(lport) {
            return Some(*number);
        }
        let number = (self.free..LinkEntry::MAX_PORTS).find(|number| !self.taken.contains(number))?;
        self.free = number + 1;
        Some(number)
    }
}

/// The tags of a subport; `None` when there are too many.
fn tags_below(parent: &Tags, tag: Segmentation) -> Option<Tags> {
    let Segmentation::Vlan(vid) = tag;
    // The subport's own tag is the innermost: it is pushed first.
    let tags: Tags = std::iter::once(vid).chain(parent.iter().copied()).take(MAX_NESTING).collect();
    (tags.len() == parent.len() + 1).then_some(tags)
}
