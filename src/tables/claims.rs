//! Which port each tag stands for, once contradictions between segmentations are settled.
//!
//! In the order of their ids, each segmentation holds whose ports exist and whose tag and subport no other one holds;
//! the rest wait. Whether one holds is answered by asking those with lower ids that claim the same: no state, so
//! there is none to keep right.

use std::collections::{BTreeMap, BTreeSet};

use crate::nb::{ChildPortSegmentation, LogicalPort, Northbound};
use crate::types::{Problem, Segmentation};

/// What a segmentation makes of its tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Claim<'a> {
    /// A frame with this tag is this port's.
    Subport(&'a LogicalPort),
    /// The tag is taken, but there is no port to give its frames to.
    Unusable,
}

/// Why a segmentation does not hold.
#[derive(Debug, Clone, Copy)]
enum Waits<'a> {
    OwnParent,
    ForParent,
    ForPort,
    /// The other one holds the tag.
    ForTag(&'a ChildPortSegmentation),
    /// The other one holds the subport.
    ForSubport(&'a ChildPortSegmentation),
}

/// The segmentation that makes `lport` a subport.
#[must_use]
pub fn parent_of<'a>(nb: &'a Northbound, lport: &str) -> Option<&'a ChildPortSegmentation> {
    let mut settled = Settled::new(nb);
    nb.segmentations_above(lport).find(|segmentation| settled.holds(segmentation))
}

/// The tags of `parent` that mean something.
pub(super) fn tags_of<'a>(nb: &'a Northbound, parent: &str) -> BTreeMap<Segmentation, Claim<'a>> {
    let mut settled = Settled::new(nb);
    let mut tags = BTreeMap::new();
    for segmentation in nb.segmentations_below(parent) {
        match nb.lports().get(&segmentation.port).filter(|_| settled.holds(segmentation)) {
            Some(child) => drop(tags.insert(segmentation.segmentation, Claim::Subport(child))),
            // It keeps its tag from the parent, not from one that holds.
            None => drop(tags.entry(segmentation.segmentation).or_insert(Claim::Unusable)),
        }
    }
    tags
}

/// The port that `lport` hangs under in the end: itself, if it is no subport. `None` in a loop.
pub(super) fn root_of<'a>(nb: &'a Northbound, lport: &'a str) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    let mut at = lport;
    while let Some(segmentation) = parent_of(nb, at) {
        if !seen.insert(at) {
            return None;
        }
        at = &segmentation.parent;
    }
    Some(at)
}

/// The segmentations that may hold or wait differently when `segmentation` changes: those that claim the same as it
/// does, and as those do.
pub(super) fn rivals<'a>(
    nb: &'a Northbound,
    segmentation: &'a ChildPortSegmentation,
) -> Vec<&'a ChildPortSegmentation> {
    let mut seen = BTreeSet::from([segmentation.id.as_str()]);
    let mut rivals = vec![segmentation];
    let mut next = 0;
    while let Some(of) = rivals.get(next) {
        let found: Vec<_> = contenders(nb, of).filter(|rival| seen.insert(rival.id.as_str())).collect();
        rivals.extend(found);
        next += 1;
    }
    rivals
}

/// What is wrong with the segmentations of `nb`.
#[must_use]
pub fn problems(nb: &Northbound) -> Vec<Problem> {
    let mut settled = Settled::new(nb);
    let mut problems = Vec::new();
    for segmentation in nb.segmentations().values() {
        let reason = match settled.why_waiting(segmentation) {
            Some(waits) => Some(waits.reason(segmentation)),
            None if root_of(nb, &segmentation.port).is_none() => Some(format!(
                "port {} hangs on no device, for the ports above it form a loop: remove one segmentation of the loop",
                segmentation.port,
            )),
            None => None,
        };
        let about = format!("child_port_segmentation {}", segmentation.id);
        problems.extend(reason.map(|reason| Problem::new(about, reason)));
    }
    problems
}

/// The segmentations with the same tag on the same parent, or the same subport.
fn contenders<'a>(
    nb: &'a Northbound,
    of: &'a ChildPortSegmentation,
) -> impl Iterator<Item = &'a ChildPortSegmentation> {
    let same_tag = nb.segmentations_with(&of.parent, of.segmentation);
    same_tag.chain(nb.segmentations_above(&of.port)).filter(|other| other.id != of.id)
}

/// Answers, remembered: segmentations that claim the same ask for each other.
struct Settled<'a> {
    nb: &'a Northbound,
    waits: BTreeMap<&'a str, Option<Waits<'a>>>,
}

impl<'a> Settled<'a> {
    const fn new(nb: &'a Northbound) -> Self {
        Self { nb, waits: BTreeMap::new() }
    }

    fn holds(&mut self, segmentation: &'a ChildPortSegmentation) -> bool {
        self.why_waiting(segmentation).is_none()
    }

    /// Settles all that claim the same, in the order of their ids, so that each finds the answers it depends on.
    fn why_waiting(&mut self, segmentation: &'a ChildPortSegmentation) -> Option<Waits<'a>> {
        if let Some(known) = self.waits.get(segmentation.id.as_str()) {
            return *known;
        }
        let mut all = rivals(self.nb, segmentation);
        all.sort_by_key(|rival| &rival.id);
        for rival in all {
            let waits = self.ask(rival);
            self.waits.insert(&rival.id, waits);
        }
        self.waits.get(segmentation.id.as_str()).copied().flatten()
    }

    fn ask(&self, segmentation: &'a ChildPortSegmentation) -> Option<Waits<'a>> {
        if segmentation.parent == segmentation.port {
            return Some(Waits::OwnParent);
        }
        if !self.nb.lports().contains_key(&segmentation.parent) {
            return Some(Waits::ForParent);
        }
        if !self.nb.lports().contains_key(&segmentation.port) {
            return Some(Waits::ForPort);
        }
        // Those with higher ids are not settled yet.
        let holds = |other: &&ChildPortSegmentation| matches!(self.waits.get(other.id.as_str()), Some(None));
        let holder = contenders(self.nb, segmentation).find(holds)?;
        let same_tag =
            (&holder.parent, holder.segmentation) == (&segmentation.parent, segmentation.segmentation);
        Some(if same_tag { Waits::ForTag(holder) } else { Waits::ForSubport(holder) })
    }
}

impl Waits<'_> {
    fn reason(self, segmentation: &ChildPortSegmentation) -> String {
        let ChildPortSegmentation { parent, port, segmentation: tag, .. } = segmentation;
        let missing = |role: &str, id: &str| {
            format!(
                "waits for its {role} {id}, which table lport does not have: create it or remove the segmentation"
            )
        };
        match self {
            Self::OwnParent => format!("port {port} cannot be its own subport: name another parent"),
            Self::ForParent => missing("parent", parent),
            Self::ForPort => missing("port", port),
            Self::ForTag(other) => format!(
                "{tag} of parent {parent} is {}'s already, so port {port} gets no frames: give it another tag or remove one of the two",
                other.port,
            ),
            Self::ForSubport(other) => format!(
                "port {port} is a subport of {} by segmentation {} already, and a port belongs to one at most: remove one of the two",
                other.parent, other.id,
            ),
        }
    }
}
