//! Publication of new [`Tables`] to workers, which never wait (RCU).

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::Tables;

/// The side of the control thread: replaces the tables, and frees the old ones itself.
pub struct Publisher {
    current: Arc<ArcSwap<Tables>>,
    /// Replaced tables that a worker may still use. The reference here keeps workers from freeing them.
    retired: Vec<Arc<Tables>>,
}

/// The side of a worker: the newest tables, at the cost of one atomic load per burst.
pub struct Reader(Cache<Arc<ArcSwap<Tables>>, Arc<Tables>>);

impl Publisher {
    /// A publisher whose first version is `tables`.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(tables)), retired: Vec::new() }
    }

    /// A reader for one worker.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.current)))
    }

    /// The tables in force.
    #[must_use]
    pub fn current(&self) -> Arc<Tables> {
        self.current.load_full()
    }

    /// Puts `tables` in force, for all bursts that begin after the call.
    pub fn publish(&mut self, tables: Tables) {
        let tables = Tables { generation: self.current.load().generation + 1, ..tables };
        self.retired.push(self.current.swap(Arc::new(tables)));
        self.retired.retain(|retired| Arc::strong_count(retired) > 1);
    }
}

impl Reader {
    /// The tables that were published last.
    #[inline]
    pub fn latest(&mut self) -> &Arc<Tables> {
        self.0.load()
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("retired", &self.retired.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::PortCounters;

    fn tables() -> Tables {
        Tables::empty(PortCounters::new(1))
    }

    #[test]
    fn only_the_publisher_frees_tables() {
        let mut publisher = Publisher::new(tables());
        let mut reader = publisher.reader();
        let first = Arc::downgrade(reader.latest());
        publisher.publish(tables());
        assert!(first.upgrade().is_some(), "the reader still has it");
        reader.latest();
        assert!(first.upgrade().is_some(), "moving on frees nothing on the reader's side");
        publisher.publish(tables());
        assert!(first.upgrade().is_none());
    }
}
