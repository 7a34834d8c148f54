//! The claims on tags and subports, with their holders.

use std::collections::BTreeMap;

use crate::nb::index::compact;
use crate::nb::{ChildPortSegmentation, Claims};
use crate::types::{Claim, Id, Segmentation};

/// The claims that segmentations make.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct SegmentationClaims {
    /// By the id of the parent.
    pub(super) tags: BTreeMap<Id, Claims<Segmentation>>,
    /// By the id of the subport.
    pub(super) subports: Claims<Id>,
}

impl SegmentationClaims {
    pub(super) fn tag_holder(&self, parent: &str, tag: Segmentation) -> Option<&Id> {
        self.tags.get(parent)?.holder(&tag)
    }

    /// Whether neither claim of a segmentation is held by another.
    pub(super) fn are_free_for(&self, segmentation: &ChildPortSegmentation) -> bool {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        self.tags.get(parent).is_some_and(|tags| tags.is_free_for(tag, id))
            && self.subports.is_free_for(port, id)
    }

    pub(super) fn hold(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        if let Some(tags) = self.tags.get_mut(parent) {
            tags.set_holder(tag, Some(id.clone()));
        }
        self.subports.set_holder(port, Some(id.clone()));
    }

    pub(super) fn vacate(&mut self, segmentation: &ChildPortSegmentation) {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
        if let Some(tags) = self.tags.get_mut(parent) {
            tags.vacate(tag, id);
        }
        self.subports.vacate(port, id);
    }

    /// Removes the claims of `before` that `now` does not make.
    pub(super) fn give_up(&mut self, before: &ChildPortSegmentation, now: Option<&ChildPortSegmentation>) {
        let ChildPortSegmentation { id, parent, port, segmentation: tag } = before;
        if now.is_none_or(|now| (&now.parent, &now.segmentation) != (parent, tag))
            && let Some(tags) = self.tags.get_mut(parent)
        {
            tags.remove(tag, id);
            if tags.is_empty() {
                self.tags.remove(parent);
            }
        }
        if now.is_none_or(|now| now.port != *port) {
            self.subports.remove(port, id);
        }
    }

    /// The contested claims, with their holders.
    pub(super) fn contested(&self) -> impl Iterator<Item = (Claim, Id)> {
        let subports = self.subports.contested();
        let subports = subports.map(|(port, id)| (Claim::Subport(port.clone()), id.clone()));
        let tags = self.tags.iter().flat_map(|(parent, tags)| {
            tags.contested().map(|(tag, id)| {
                let Segmentation::Vlan(vid) = *tag;
                (Claim::Tag(parent.clone(), vid), id.clone())
            })
        });
        subports.chain(tags)
    }

    pub(super) fn compact(&mut self) {
        compact(&mut self.tags);
        self.tags.values_mut().for_each(Claims::compact);
        self.subports.compact();
    }
}
