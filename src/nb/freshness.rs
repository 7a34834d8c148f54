//! The age of the delivered state of a store.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// The latest time whose whole state of the store is known to be delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Freshness(Arc<Mutex<Option<Instant>>>);

impl Freshness {
    /// Records that everything up to `moment` is delivered.
    pub(super) fn confirm(&self, moment: Instant) {
        let mut last = self.0.lock();
        *last = (*last).max(Some(moment));
    }

    pub(super) fn last(&self) -> Option<Instant> {
        *self.0.lock()
    }
}
