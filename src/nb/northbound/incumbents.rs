//! Holders of what two or more records claim, to be kept over a restart.

use super::state::Northbound;
use crate::nb::collection::AnyCollection;
use crate::types::{Claim, Incumbents};

impl Northbound {
    /// The holders of contested claims.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let keys = self.collections.all().flat_map(AnyCollection::contested);
        let segments = self.segments.contested();
        let segments = segments.map(|(segment, id)| (Claim::Segment(segment.clone()), id.clone()));
        keys.chain(self.segmentation_claims.contested()).chain(segments).collect()
    }
}
