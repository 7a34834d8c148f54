//! The meaning of each tag on a parent port.

use super::{LinkSlot, PortSlot};
use crate::packet::{ETHERTYPE_DOT1Q, Tag};
use crate::types::{UnknownTags, VlanId};

/// The meaning of tags on one parent port: an entry for each of the 4096 VIDs.
#[derive(Debug)]
pub struct VlanTable {
    link: LinkSlot,
    /// The subport's number on the link, or one of the three numbers below, which no port has. VID 4095 is
    /// reserved and no segmentation's: its entry is that of all other tags, whatever their TPID.
    meanings: [u16; 4096],
}

/// The meaning of a tag on a frame of a parent port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagMeaning {
    /// No segmentation has it: the frame belongs to the parent and keeps its tag.
    Parent,
    /// It selects this subport.
    Subport(PortSlot),
    /// No segmentation has it, and the parent drops unknown tags.
    Unwanted,
    /// A segmentation claims it, but its subport cannot be used. The frame belongs to no port, not to the
    /// parent either.
    Unusable,
}

impl VlanTable {
    const PARENT: u16 = u16::MAX;
    const UNUSABLE: u16 = u16::MAX - 1;
    pub(super) const UNWANTED: u16 = u16::MAX - 2;
    const OTHER_TAGS: usize = 4095;

    /// A table without segmentations, for a port on `link`.
    pub(super) fn empty(link: LinkSlot, unknown: UnknownTags) -> Box<Self> {
        let mut table = Box::new(Self { link, meanings: [Self::PARENT; 4096] });
        if unknown == UnknownTags::Drop {
            // Except VID 0, which names no VLAN.
            table.meanings.iter_mut().skip(1).for_each(|entry| *entry = Self::UNWANTED);
        }
        table
    }

    /// Whether tags without a segmentation are dropped.
    pub(super) fn drops_unknown_tags(&self) -> bool {
        self.meanings.get(Self::OTHER_TAGS) == Some(&Self::UNWANTED)
    }

    /// Sets the meaning of `vid`.
    pub(super) fn set(&mut self, vid: VlanId, meaning: TagMeaning) {
        if let Some(entry) = self.meanings.get_mut(usize::from(vid.get())) {
            *entry = match meaning {
                TagMeaning::Parent => Self::PARENT,
                TagMeaning::Unwanted => Self::UNWANTED,
                TagMeaning::Unusable => Self::UNUSABLE,
                TagMeaning::Subport(slot) => slot.number,
            };
        }
    }

    /// The meaning of `tag`. Only a tag with TPID 0x8100 can belong to a segmentation.
    #[inline]
    #[must_use]
    pub fn get(&self, tag: Tag) -> TagMeaning {
        let entry = if tag.tpid == ETHERTYPE_DOT1Q { usize::from(tag.tci.vid()) } else { Self::OTHER_TAGS };
        match self.meanings.get(entry) {
            None | Some(&Self::PARENT) => TagMeaning::Parent,
            Some(&Self::UNUSABLE) => TagMeaning::Unusable,
            Some(&Self::UNWANTED) => TagMeaning::Unwanted,
            Some(&number) => TagMeaning::Subport(PortSlot { link: self.link, number }),
        }
    }
}
