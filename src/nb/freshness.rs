//! How old a view of a store is.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// The last moment whose state of the store is known to have been delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Freshness(Arc<Mutex<Option<Instant>>>);

impl Freshness {
    /// Everything up to `moment` has been delivered.
    pub(super) fn confirm(&self, moment: Instant) {
        let mut last = self.0.lock();
        *last = (*last).max(Some(moment));
    }

    /// The last such moment.
    pub(super) fn last(&self) -> Option<Instant> {
        *self.0.lock()
    }
}
