//! The events of the NB DB: a snapshot, then every change after it, and another snapshot only if changes were
//! lost.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep_until};

use crate::nb::{ChangeSet, NbError, NorthboundDb, Revision, Snapshot};

/// The first and the longest pause before the DB is read again after an error.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// An event of the NB DB.
#[derive(Debug)]
pub enum NbEvent {
    /// All records, which replace all earlier ones.
    Snapshot(Snapshot),
    /// The changes of one transaction.
    Changes(ChangeSet),
    /// The DB cannot be read. The records remain in force.
    Unreachable(NbError),
}

/// Reads the events of an NB DB, one after the other.
#[derive(Debug)]
pub struct Follower {
    db: Arc<dyn NorthboundDb>,
    state: State,
    /// The last revision that was returned, after which the watch continues.
    after: Option<Revision>,
    wait: Duration,
}

/// The operation in progress. It is not in the future of [`Follower::next`], which is dropped at every other
/// event, at least once a second: a pause or a slow read that started again each time would never end.
enum State {
    /// No operation: the next one is a watch after `Follower::after`, or else a snapshot.
    Start,
    /// The snapshot is being read.
    Read(BoxFuture<'static, Result<Snapshot, NbError>>),
    /// A pause until this time.
    Wait(Instant),
    /// Changes are being received.
    Watch(BoxStream<'static, Result<ChangeSet, NbError>>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Start => "Start",
            Self::Read(_) => "Read",
            Self::Wait(_) => "Wait",
            Self::Watch(_) => "Watch",
        })
    }
}

impl Follower {
    /// A follower whose first event is a snapshot.
    #[must_use]
    pub fn new(db: Arc<dyn NorthboundDb>) -> Self {
        Self { db, state: State::Start, after: None, wait: FIRST_WAIT }
    }

    /// Waits for the next event. Cancel-safe.
    pub async fn next(&mut self) -> NbEvent {
        loop {
            match &mut self.state {
                State::Wait(until) => {
                    sleep_until(*until).await;
                    self.state = State::Start;
                }
                State::Start => self.start(),
                State::Read(snapshot) => match snapshot.await {
                    Ok(snapshot) => {
                        self.record(snapshot.revision);
                        self.state = State::Start;
                        return NbEvent::Snapshot(snapshot);
                    }
                    Err(error) => return self.pause(error),
                },
                State::Watch(changes) => match changes.next().await {
                    Some(Ok(changes)) => {
                        self.record(changes.revision);
                        return NbEvent::Changes(changes);
                    }
                    // The changes since `after` are lost.
                    Some(Err(NbError::Compacted { .. })) | None => {
                        self.after = None;
                        self.state = State::Start;
                    }
                    Some(Err(error)) => return self.pause(error),
                },
            }
        }
    }

    fn start(&mut self) {
        self.state = if let Some(revision) = self.after {
            State::Watch(self.db.watch(revision))
        } else {
            let db = Arc::clone(&self.db);
            State::Read(Box::pin(async move { db.snapshot().await }))
        };
    }

    fn record(&mut self, revision: Revision) {
        self.after = Some(revision);
        self.wait = FIRST_WAIT;
    }

    /// Starts a pause of random length, because all hosts lose a DB at the same time.
    fn pause(&mut self, error: NbError) -> NbEvent {
        let percent = 50 + (RandomState::new().hash_one(()) % 51) as u32;
        self.state = State::Wait(Instant::now() + self.wait * percent / 100);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        NbEvent::Unreachable(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::stream;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::nb::{Committed, Op, Record, Revision, Table};

    /// Duration of a read, and the time after which the future of `next` is dropped.
    const SLOW: Duration = Duration::from_millis(200);
    const DISTURBED: Duration = Duration::from_millis(20);

    /// A DB whose first read fails, and whose second one is slow.
    #[derive(Debug, Default)]
    struct Recovering {
        reads: AtomicU32,
    }

    #[async_trait::async_trait]
    impl NorthboundDb for Recovering {
        async fn snapshot(&self) -> Result<Snapshot, NbError> {
            if self.reads.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(NbError::Compacted(Revision(0)));
            }
            sleep(SLOW).await;
            Ok(Snapshot { revision: Revision(7), records: Vec::new() })
        }

        fn watch(&self, _: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>> {
            stream::pending().boxed()
        }

        async fn list(&self, _: Table) -> Result<Vec<Record>, NbError> {
            Ok(Vec::new())
        }

        async fn get(&self, _: Table, _: &str) -> Result<Option<Record>, NbError> {
            Ok(None)
        }

        async fn commit(&self, _: Vec<Op>) -> Result<Committed, NbError> {
            Ok(Committed { revision: Revision(0), effects: Vec::new() })
        }

        async fn allocate_unique_key(&self, _: Table) -> Result<u32, NbError> {
            Ok(1)
        }

        fn confirmed(&self) -> Option<std::time::Instant> {
            None
        }
    }

    async fn next_between_disturbances(follower: &mut Follower) -> NbEvent {
        // Far longer than the pause and the read together.
        for _ in 0..1000 {
            if let Ok(event) = timeout(DISTURBED, follower.next()).await {
                return event;
            }
        }
        panic!("no event in {:?}", DISTURBED * 1000);
    }

    #[test]
    fn a_db_that_comes_back_is_read_however_often_the_wait_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let db = Arc::new(Recovering::default());
            let mut follower = Follower::new(Arc::clone(&db) as Arc<dyn NorthboundDb>);
            assert!(matches!(next_between_disturbances(&mut follower).await, NbEvent::Unreachable(_)));
            assert!(matches!(next_between_disturbances(&mut follower).await, NbEvent::Snapshot(_)));
            assert_eq!(db.reads.load(Ordering::Relaxed), 2, "a read is continued");
        });
    }
}
