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
    /// Settles the segmentations of `nb`: in the order of their ids, each holds whose ports exist and whose tag and
    /// subport no other one holds. The others wait.
    #[must_use]
    pub fn settle(nb: &'a Northbound) -> Self {
        let mut claims = Self::default();
        let mut refused = Vec::new();
        for segmentation in nb.segmentations.values() {
            if let Err(reason) = claims.claim(nb, segmentation) {
                refused.push((segmentation, reason));
            }
        }
        // Last of all: a refused segmentation keeps its tag from the parent, not from one that holds.
        for (segmentation, reason) in refused {
            claims.refuse(segmentation, reason);
        }
        claims.report_loops();
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

    /// Gives the segmentation its tag and its subport, or says why not.
    fn claim(&mut self, nb: &'a Northbound, segmentation: &'a ChildPortSegmentation) -> Result<(), String> {
        let ChildPortSegmentation { parent, port, segmentation: tag, .. } = segmentation;
        let child = existing_child(nb, segmentation)?;
        let tags = self.by_parent.entry(parent).or_default();
        if let Some(Claim::Subport(holder)) = tags.get(tag) {
            return Err(format!(
                "{tag} of parent {parent} is {}'s already, so port {port} gets no frames: give it another tag or remove one of the two",
                holder.id,
            ));
        }
        if let Some(other) = self.by_child.get(port.as_str()) {
            return Err(format!(
                "port {port} is a subport of {} by segmentation {} already, and a port belongs to one at most: remove one of the two",
                other.parent, other.id,
            ));
        }
        tags.insert(*tag, Claim::Subport(child));
        self.by_child.insert(port, segmentation);
        Ok(())
    }

    /// Reports the segmentation, and takes its tag from the parent's traffic if it is not taken.
    fn refuse(&mut self, segmentation: &'a ChildPortSegmentation, reason: String) {
        let tags = self.by_parent.entry(&segmentation.parent).or_default();
        tags.entry(segmentation.segmentation).or_insert(Claim::Unusable);
        self.problems.push(problem(segmentation, reason));
    }

    /// A port that is a subport of its own subport hangs on no link; say so.
    fn report_loops(&mut self) {
        for (child, segmentation) in &self.by_child {
            let mut seen = BTreeSet::from([*child]);
            let mut at = segmentation.parent.as_str();
            while let Some(next) = self.by_child.get(at) {
                if !seen.insert(at) {
                    let reason = format!(
                        "port {child} hangs on no device, for the ports above it form a loop: remove one segmentation of the loop",
                    );
                    self.problems.push(problem(segmentation, reason));
                    break;
                }
                at = &next.parent;
            }
        }
    }
}

/// The segmentation's subport, if the segmentation says something that can be.
fn existing_child<'a>(
    nb: &'a Northbound,
    segmentation: &ChildPortSegmentation,
) -> Result<&'a LogicalPort, String> {
    let ChildPortSegmentation { parent, port, .. } = segmentation;
    if parent == port {
        return Err(format!("port {port} cannot be its own subport: name another parent"));
    }
    let missing = |role: &str, id: &str| {
        format!(
            "waits for its {role} {id}, which table lport does not have: create it or remove the segmentation"
        )
    };
    if !nb.lports.contains_key(parent) {
        return Err(missing("parent", parent));
    }
    nb.lports.get(port).ok_or_else(|| missing("port", port))
}

pub(super) fn problem(segmentation: &ChildPortSegmentation, reason: String) -> Problem {
    Problem::new(format!("child_port_segmentation {}", segmentation.id), reason)
}
