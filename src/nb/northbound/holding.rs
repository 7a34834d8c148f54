//! Which segmentations hold.
//!
//! A segmentation claims a tag of its parent and its port as subport. It holds when both ports exist and no other one
//! holds either claim, and goes on holding until it or one of its ports goes or it claims something else. Then those that
//! wait for what it gives up are tried, in the order of their ids. As holding takes nothing from another, that is
//! all: no change spreads further.

use std::collections::BTreeSet;

use super::Northbound;
use crate::nb::{ChildPortSegmentation, Claims, Table};
use crate::types::{Id, Segmentation};

impl Northbound {
    /// Whether a segmentation holds: its tag stands for its port.
    #[must_use]
    pub fn holds(&self, segmentation: &ChildPortSegmentation) -> bool {
        self.could_hold(segmentation)
            && self.tag_holder(&segmentation.parent, segmentation.segmentation) == Some(&segmentation.id)
            && self.segmentations_by_port.holder(&segmentation.port) == Some(&segmentation.id)
    }

    /// The segmentation that holds and makes `lport` a subport.
    #[must_use]
    pub fn segmentation_above(&self, lport: &str) -> Option<&ChildPortSegmentation> {
        let id = self.segmentations_by_port.holder(lport)?;
        self.segmentations.get(id).filter(|segmentation| self.holds(segmentation))
    }

    /// The tags of `lport` that are claimed, each with the segmentation that holds it.
    pub fn tags_of(
        &self,
        lport: &str,
    ) -> impl Iterator<Item = (Segmentation, Option<&ChildPortSegmentation>)> {
        let tags = self.segmentations_by_tag.get(lport).into_iter().flat_map(Claims::holders);
        tags.map(|(tag, id)| {
            let claim = id.and_then(|id| self.segmentations.get(id));
            (*tag, claim.filter(|claim| self.holds(claim)))
        })
    }

    /// The segmentation that holds `tag` of `lport`.
    #[must_use]
    pub fn segmentation_with(&self, lport: &str, tag: Segmentation) -> Option<&ChildPortSegmentation> {
        let claim = self.segmentations.get(self.tag_holder(lport, tag)?)?;
        self.holds(claim).then_some(claim)
    }

    fn tag_holder(&self, parent: &str, tag: Segmentation) -> Option<&Id> {
        self.segmentations_by_tag.get(parent)?.holder(&tag)
    }

    /// Whether its ports exist and no other segmentation holds what it claims.
    fn could_hold(&self, segmentation: &ChildPortSegmentation) -> bool {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        parent != port
            && self.lports.contains_key(parent)
            && self.lports.contains_key(port)
            && self.segmentations_by_tag.get(parent).is_some_and(|tags| tags.is_free_for(tag, id))
            && self.segmentations_by_port.is_free_for(port, id)
    }

    /// Lets a segmentation hold that [could](Self::could_hold).
    fn hold(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        if let Some(tags) = self.segmentations_by_tag.get_mut(parent) {
            tags.set_holder(tag, Some(id.clone()));
        }
        self.segmentations_by_port.set_holder(port, Some(id.clone()));
    }

    fn vacate(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        if let Some(tags) = self.segmentations_by_tag.get_mut(parent) {
            tags.vacate(tag, id);
        }
        self.segmentations_by_port.vacate(port, id);
    }

    /// Lets those hold that wait for what `former` held.
    fn refill(&mut self, former: &ChildPortSegmentation, turned: &mut Vec<(Table, Id)>) {
        let tags = self.segmentations_by_tag.get(&former.parent);
        let claimants = tags.into_iter().flat_map(|tags| tags.claimants(&former.segmentation));
        let for_tag = self.first_that_could_hold(claimants);
        self.hold_by_id(for_tag, turned);
        let for_port = self.first_that_could_hold(self.segmentations_by_port.claimants(&former.port));
        self.hold_by_id(for_port, turned);
    }

    fn first_that_could_hold<'a>(&self, mut ids: impl Iterator<Item = &'a Id>) -> Option<Id> {
        ids.find(|id| self.segmentations.get(*id).is_some_and(|waiting| self.could_hold(waiting))).cloned()
    }

    fn hold_by_id(&mut self, id: Option<Id>, turned: &mut Vec<(Table, Id)>) {
        let Some(id) = id else { return };
        if let Some(segmentation) = self.segmentations.get(&id).filter(|waiting| self.could_hold(waiting)) {
            self.hold(&segmentation.clone());
            turned.push((Table::ChildPortSegmentation, id));
        }
    }

    /// The segmentations with `lport` as parent or subport.
    fn segmentations_with_port(&self, lport: &str) -> BTreeSet<&Id> {
        let below = self.segmentations_by_tag.get(lport).into_iter().flat_map(Claims::ids);
        below.chain(self.segmentations_by_port.claimants(lport)).collect()
    }

    /// Lets the segmentations hold that waited for `lport` to exist.
    pub(super) fn hold_with(&mut self, lport: &str, turned: &mut Vec<(Table, Id)>) {
        let ids: Vec<_> = self.segmentations_with_port(lport).into_iter().cloned().collect();
        for id in ids {
            self.hold_by_id(Some(id), turned);
        }
    }

    /// The segmentations that hold and will not without `lport`.
    pub(super) fn held_with(&self, lport: &str) -> Vec<ChildPortSegmentation> {
        let ids = self.segmentations_with_port(lport);
        let found = ids.into_iter().filter_map(|id| self.segmentations.get(id));
        found.filter(|segmentation| self.holds(segmentation)).cloned().collect()
    }

    /// Gives what these held to others.
    pub(super) fn release(&mut self, held: Vec<ChildPortSegmentation>, turned: &mut Vec<(Table, Id)>) {
        for segmentation in &held {
            self.vacate(segmentation);
        }
        for segmentation in held {
            self.refill(&segmentation, turned);
            turned.push((Table::ChildPortSegmentation, segmentation.id));
        }
    }

    pub(super) fn put_segmentation(&mut self, mut segmentation: ChildPortSegmentation) -> Vec<(Table, Id)> {
        self.texts.share(&mut segmentation.parent);
        self.texts.share(&mut segmentation.port);
        let before = self.segmentations.get(&segmentation.id);
        let held = before.filter(|before| self.holds(before)).cloned();
        let before = before.cloned();
        // A claim that it made and still makes keeps its place.
        self.give_up(before.as_ref(), Some(&segmentation));
        self.claim_tag(&segmentation);
        self.claim_port(&segmentation);
        self.segmentations.insert(segmentation.id.clone(), segmentation.clone());
        if self.could_hold(&segmentation) {
            self.hold(&segmentation);
        } else {
            self.vacate(&segmentation);
        }
        let mut turned = Vec::new();
        if let Some(held) = held {
            self.refill(&held, &mut turned);
        }
        turned
    }

    pub(super) fn remove_segmentation(&mut self, id: &Id, turned: &mut Vec<(Table, Id)>) {
        let Some(before) = self.segmentations.get(id).cloned() else { return };
        let held = self.holds(&before);
        self.give_up(Some(&before), None);
        self.segmentations.remove(id);
        if held {
            self.refill(&before, turned);
        }
    }

    /// Takes away the claims of `before` that `now` does not make.
    fn give_up(&mut self, before: Option<&ChildPortSegmentation>, now: Option<&ChildPortSegmentation>) {
        let Some(before) = before else { return };
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = before;
        if now.is_none_or(|now| (&now.parent, &now.segmentation) != (parent, tag))
            && let Some(tags) = self.segmentations_by_tag.get_mut(parent)
        {
            tags.remove(tag, id);
            if tags.is_empty() {
                self.segmentations_by_tag.remove(parent);
            }
        }
        if now.is_none_or(|now| now.port != *port) {
            self.segmentations_by_port.remove(port, id);
        }
    }

    /// Adds a claim on a tag. One that becomes contested by it is held by the first claim if that holds.
    fn claim_tag(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, segmentation: tag, .. } = segmentation;
        let holder = self.segmentation_with(parent, *tag).map(|holder| holder.id.clone());
        let tags = self.segmentations_by_tag.entry(parent.clone()).or_default();
        if tags.insert(*tag, id.clone()) {
            tags.set_holder(tag, holder);
        }
    }

    /// The same for the subport.
    fn claim_port(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, port, .. } = segmentation;
        let holder = self.segmentation_above(port).map(|holder| holder.id.clone());
        if self.segmentations_by_port.insert(port.clone(), id.clone()) {
            self.segmentations_by_port.set_holder(port, holder);
        }
    }
}
