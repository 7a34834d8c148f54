//! Which port each tag stands for, once contradictions between segmentations are settled.

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

/// The segmentations without their contradictions.
#[derive(Debug, Default)]
pub struct Claims<'a> {
    by_parent: BTreeMap<&'a str, BTreeMap<Segmentation, Claim<'a>>>,
    by_child: BTreeMap<&'a str, &'a ChildPortSegmentation>,
    /// What was refused, and why.
    pub problems: Vec<Problem>,
}

impl<'a> Claims<'a> {
    /// Settles the segmentations of `nb`: of two that claim the same tag, or the same subport, the one with the
    /// lower id has it. One that refers to a missing port waits, and yields to any that does not.
    #[must_use]
    pub fn settle(nb: &'a Northbound) -> Self {
        let mut claims = Self::default();
        let mut waiting = Vec::new();
        for segmentation in nb.segmentations.values() {
            match nb.lports.get(&segmentation.port) {
                Some(child) if segmentation.parent != segmentation.port && has_parent(nb, segmentation) => {
                    claims.claim(segmentation, child);
                }
                _ => waiting.push(segmentation),
            }
        }
        for segmentation in waiting {
            let reason = why_waiting(nb, segmentation);
            claims.refuse(segmentation, reason);
        }
        claims.break_loops();
        claims
    }

    /// The segmentation that makes `lport` a subport.
    #[must_use]
    pub fn parent_of(&self, lport: &str) -> Option<&'a ChildPortSegmentation> {
        self.by_child.get(lport).copied()
    }

    /// The tags of `parent` that mean something.
    pub(super) fn of(&self, parent: &str) -> impl Iterator<Item = (Segmentation, Claim<'a>)> {
        self.by_parent.get(parent).into_iter().flatten().map(|(tag, claim)| (*tag, *claim))
    }

    fn claim(&mut self, segmentation: &'a ChildPortSegmentation, child: &'a LogicalPort) {
        let tag = segmentation.segmentation;
        let tags = self.by_parent.entry(&segmentation.parent).or_default();
        let holder = match tags.get(&tag) {
            Some(Claim::Subport(holder)) => Some(holder.id.as_str()),
            Some(Claim::Unusable) => Some("another port"),
            None => None,
        };
        if let Some(holder) = holder {
            let reason = format!(
                "{tag} of parent {} is {holder}'s already, so port {} gets no frames: give it another tag or remove one of the two",
                segmentation.parent, segmentation.port,
            );
            self.problems.push(problem(segmentation, reason));
        } else if let Some(other) = self.by_child.get(segmentation.port.as_str()) {
            let reason = format!(
                "port {} is a subport of {} by segmentation {} already, and a port belongs to one at most: remove one of the two",
                segmentation.port, other.parent, other.id,
            );
            self.refuse(segmentation, reason);
        } else {
            tags.insert(tag, Claim::Subport(child));
            self.by_child.insert(&segmentation.port, segmentation);
        }
    }

    /// Reports the segmentation, and takes its tag from the parent's traffic if it is not taken.
    fn refuse(&mut self, segmentation: &'a ChildPortSegmentation, reason: String) {
        let tags = self.by_parent.entry(&segmentation.parent).or_default();
        tags.entry(segmentation.segmentation).or_insert(Claim::Unusable);
        self.problems.push(problem(segmentation, reason));
    }

    /// A port that is a subport of its own subport hangs on no link; say so.
    fn break_loops(&mut self) {
        for (child, segmentation) in &self.by_child {
            let mut seen = BTreeSet::from([*child]);
            let mut at = segmentation.parent.as_str();
            while let Some(next) = self.by_child.get(at) {
                if !seen.insert(at) {
                    let reason = format!(
                        "port {child} is below itself through parent {}: remove one segmentation of the loop",
                        segmentation.parent,
                    );
                    self.problems.push(problem(segmentation, reason));
                    break;
                }
                at = &next.parent;
            }
        }
    }
}

fn has_parent(nb: &Northbound, segmentation: &ChildPortSegmentation) -> bool {
    nb.lports.contains_key(&segmentation.parent)
}

fn why_waiting(nb: &Northbound, segmentation: &ChildPortSegmentation) -> String {
    if segmentation.parent == segmentation.port {
        return format!("port {} cannot be its own subport: name another parent", segmentation.port);
    }
    let (role, id) = if has_parent(nb, segmentation) {
        ("port", &segmentation.port)
    } else {
        ("parent", &segmentation.parent)
    };
    format!(
        "waits for its {role} {id}, which table lport does not have: create it or remove the segmentation"
    )
}

pub(super) fn problem(segmentation: &ChildPortSegmentation, reason: String) -> Problem {
    Problem::new(format!("child_port_segmentation {}", segmentation.id), reason)
}
