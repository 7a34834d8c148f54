//! Segmentations that hold their tag and their subport.
//!
//! A segmentation claims a tag of its parent and its port as subport. It holds when both ports exist and no
//! other one holds either claim. It holds until it is removed, one of its ports is removed, or its claims
//! change. Then those that wait for these claims are tried, in the order of their ids. As holding takes
//! nothing from another, no change spreads further.

use std::collections::BTreeSet;

use super::state::Northbound;
use crate::nb::rows::Affected;
use crate::nb::{ChildPortSegmentation, Claims, Table};
use crate::types::{Id, Segmentation};

impl Northbound {
    /// Whether a segmentation holds: frames with its tag are its subport's.
    #[must_use]
    pub fn holds(&self, segmentation: &ChildPortSegmentation) -> bool {
        self.could_hold(segmentation)
            && self.segmentation_claims.tag_holder(&segmentation.parent, segmentation.segmentation)
                == Some(&segmentation.id)
            && self.segmentation_claims.subports.holder(&segmentation.port) == Some(&segmentation.id)
    }

    /// The segmentation that holds and makes `lport` a subport.
    #[must_use]
    pub fn segmentation_above(&self, lport: &str) -> Option<&ChildPortSegmentation> {
        let id = self.segmentation_claims.subports.holder(lport)?;
        self.segmentations().get(id).filter(|segmentation| self.holds(segmentation))
    }

    /// The tags of `lport` that are claimed, each with the segmentation that holds it.
    pub fn tags_of(
        &self,
        lport: &str,
    ) -> impl Iterator<Item = (Segmentation, Option<&ChildPortSegmentation>)> {
        let tags = self.segmentation_claims.tags.get(lport).into_iter().flat_map(Claims::holders);
        tags.map(|(tag, id)| {
            let claim = id.and_then(|id| self.segmentations().get(id));
            (*tag, claim.filter(|claim| self.holds(claim)))
        })
    }

    /// The segmentation that holds `tag` of `lport`.
    #[must_use]
    pub fn segmentation_with(&self, lport: &str, tag: Segmentation) -> Option<&ChildPortSegmentation> {
        let claim = self.segmentations().get(self.segmentation_claims.tag_holder(lport, tag)?)?;
        self.holds(claim).then_some(claim)
    }

    /// Whether its ports exist and no other segmentation holds what it claims.
    fn could_hold(&self, segmentation: &ChildPortSegmentation) -> bool {
        let ChildPortSegmentation { parent, port, .. } = segmentation;
        parent != port
            && self.lports().contains_key(parent)
            && self.lports().contains_key(port)
            && self.segmentation_claims.are_free_for(segmentation)
    }

    /// Lets those hold that wait for a claim of `former`.
    fn refill(&mut self, former: &ChildPortSegmentation, affected: &mut Affected) {
        let tags = self.segmentation_claims.tags.get(&former.parent);
        let claimants = tags.into_iter().flat_map(|tags| tags.claimants(&former.segmentation));
        let for_tag = self.first_that_could_hold(claimants);
        self.hold_by_id(for_tag, affected);
        let for_port = self.first_that_could_hold(self.segmentation_claims.subports.claimants(&former.port));
        self.hold_by_id(for_port, affected);
    }

    fn first_that_could_hold<'a>(&self, mut ids: impl Iterator<Item = &'a Id>) -> Option<Id> {
        ids.find(|id| self.segmentations().get(*id).is_some_and(|waiting| self.could_hold(waiting))).cloned()
    }

    fn hold_by_id(&mut self, id: Option<Id>, affected: &mut Affected) {
        let Some(id) = id else { return };
        if let Some(segmentation) = self.segmentations().get(&id).filter(|waiting| self.could_hold(waiting)) {
            self.segmentation_claims.hold(&segmentation.clone());
            affected.push((Table::ChildPortSegmentation, id));
        }
    }

    /// The segmentations with `lport` as parent or subport.
    fn segmentations_with_port(&self, lport: &str) -> BTreeSet<&Id> {
        let below = self.segmentation_claims.tags.get(lport).into_iter().flat_map(Claims::ids);
        below.chain(self.segmentation_claims.subports.claimants(lport)).collect()
    }

    /// Lets the segmentations hold that waited for `lport` to exist.
    pub(in crate::nb) fn hold_with(&mut self, lport: &str, affected: &mut Affected) {
        let ids: Vec<_> = self.segmentations_with_port(lport).into_iter().cloned().collect();
        for id in ids {
            self.hold_by_id(Some(id), affected);
        }
    }

    /// The segmentations that hold and require `lport`.
    pub(in crate::nb) fn held_with(&self, lport: &str) -> Vec<ChildPortSegmentation> {
        let ids = self.segmentations_with_port(lport);
        let found = ids.into_iter().filter_map(|id| self.segmentations().get(id));
        found.filter(|segmentation| self.holds(segmentation)).cloned().collect()
    }

    /// Gives the claims of these to others.
    pub(in crate::nb) fn release(&mut self, held: Vec<ChildPortSegmentation>, affected: &mut Affected) {
        for segmentation in &held {
            self.segmentation_claims.vacate(segmentation);
        }
        for segmentation in held {
            self.refill(&segmentation, affected);
            affected.push((Table::ChildPortSegmentation, segmentation.id));
        }
    }

    /// [`Row::insert`](crate::nb::rows::Row::insert) of a segmentation.
    pub(in crate::nb) fn insert_segmentation(
        &mut self,
        segmentation: &ChildPortSegmentation,
        affected: &mut Affected,
    ) {
        let before = self.segmentations().get(&segmentation.id).cloned();
        let held = before.as_ref().is_some_and(|before| self.holds(before));
        // A claim that both versions make keeps its place.
        if let Some(before) = &before {
            self.segmentation_claims.give_up(before, Some(segmentation));
        }
        self.claim_tag(segmentation);
        self.claim_port(segmentation);
        self.collections.segmentations.insert(segmentation.clone(), affected);
        if self.could_hold(segmentation) {
            self.segmentation_claims.hold(segmentation);
        } else {
            self.segmentation_claims.vacate(segmentation);
        }
        if let Some(before) = before.filter(|_| held) {
            self.refill(&before, affected);
        }
    }

    /// [`Row::remove`](crate::nb::rows::Row::remove) of a segmentation.
    pub(in crate::nb) fn remove_segmentation(&mut self, id: &Id, affected: &mut Affected) {
        let Some(before) = self.segmentations().get(id).cloned() else { return };
        let held = self.holds(&before);
        self.segmentation_claims.give_up(&before, None);
        self.collections.segmentations.remove(id, affected);
        if held {
            self.refill(&before, affected);
        }
    }

    /// Adds a claim on a tag. If it makes the tag contested, the first claimant remains the holder, provided
    /// it holds.
    fn claim_tag(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, segmentation: tag, .. } = segmentation;
        let holder = self.segmentation_with(parent, *tag).map(|holder| holder.id.clone());
        let tags = self.segmentation_claims.tags.entry(parent.clone()).or_default();
        if tags.insert(*tag, id.clone()) {
            tags.set_holder(tag, holder);
        }
    }

    /// Adds a claim on a subport, like [`claim_tag`](Self::claim_tag).
    fn claim_port(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, port, .. } = segmentation;
        let holder = self.segmentation_above(port).map(|holder| holder.id.clone());
        if self.segmentation_claims.subports.insert(port.clone(), id.clone()) {
            self.segmentation_claims.subports.set_holder(port, holder);
        }
    }
}
