//! The networks that hold their segment: two networks with one segment would receive each other's frames.

use super::state::Northbound;
use crate::nb::rows::Affected;
use crate::nb::{LogicalSwitch, Table};
use crate::types::{Id, NetworkSegment};

impl Northbound {
    /// The network that holds the segment, of those that claim it.
    #[must_use]
    pub fn segment_holder(&self, segment: &NetworkSegment) -> Option<&Id> {
        self.segments.holder(segment)
    }

    /// The segment that a network holds.
    #[must_use]
    pub fn held_segment<'a>(&self, lswitch: &'a LogicalSwitch) -> Option<&'a NetworkSegment> {
        segment_of(lswitch).filter(|segment| self.segment_holder(segment) == Some(&lswitch.id))
    }

    /// The networks whose segment another network holds, each with the holder.
    pub fn lswitches_without_segment(&self) -> impl Iterator<Item = (&LogicalSwitch, &Id)> {
        self.segments.waiting().filter_map(|(id, holder)| Some((self.lswitches().get(id)?, holder)))
    }

    pub(in crate::nb) fn insert_lswitch(&mut self, lswitch: LogicalSwitch, affected: &mut Affected) {
        let segment = segment_of(&lswitch).cloned();
        let before = self.lswitches().get(&lswitch.id).and_then(segment_of).cloned();
        if before != segment {
            self.give_up_segment(before.as_ref(), &lswitch.id, affected);
            if let Some(segment) = segment {
                self.segments.insert(segment, lswitch.id.clone());
            }
        }
        self.collections.lswitches.insert(lswitch, affected);
    }

    pub(in crate::nb) fn remove_lswitch(&mut self, id: &Id, affected: &mut Affected) {
        if let Some(lswitch) = self.collections.lswitches.remove(id, affected) {
            self.give_up_segment(segment_of(&lswitch), id, affected);
        }
    }

    fn give_up_segment(&mut self, segment: Option<&NetworkSegment>, id: &Id, affected: &mut Affected) {
        let heir = segment.and_then(|segment| self.segments.remove_and_pass_on(segment, id));
        affected.extend(heir.map(|heir| (Table::Lswitch, heir)));
    }
}

fn segment_of(lswitch: &LogicalSwitch) -> Option<&NetworkSegment> {
    lswitch.segment.as_ref().ok().and_then(Option::as_ref)
}
