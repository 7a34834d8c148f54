//! Following the NB DB: a snapshot, then every change after it; from the start again only when the thread is lost.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep_until};

use crate::nb::{ChangeSet, NbError, NorthboundDb, Revision, Snapshot};

/// The first and the longest wait before the DB is asked again after an error.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What is new in the DB.
#[derive(Debug)]
pub enum News {
    /// All of it was read: forget what was known.
    All(Snapshot),
    /// One transaction.
    Changes(ChangeSet),
    /// It cannot be read. What was known stays in force.
    Lost(NbError),
}

/// The thread through the DB's history.
#[derive(Debug)]
pub struct Follower {
    db: Arc<dyn NorthboundDb>,
    state: State,
    /// The last revision that was delivered, to go on from.
    after: Option<Revision>,
    wait: Duration,
}

/// What is under way is kept here and not in the future of [`Follower::next`], which is given up and made anew
/// whenever something else happens, at least once a second: a pause or a slow read that began again each time would
/// never end.
enum State {
    /// Read everything, or follow the changes if that was done.
    Start,
    /// Everything is being read.
    Read(BoxFuture<'static, Result<Snapshot, NbError>>),
    /// Start then.
    Wait(Instant),
    /// Follow the changes.
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
    /// Follows `db` from now on.
    #[must_use]
    pub fn new(db: Arc<dyn NorthboundDb>) -> Self {
        Self { db, state: State::Start, after: None, wait: FIRST_WAIT }
    }

    /// Waits for news. Cancel-safe: given up half way, it goes on where it was.
    pub async fn next(&mut self) -> News {
        loop {
            match &mut self.state {
                State::Wait(until) => {
                    sleep_until(*until).await;
                    self.state = State::Start;
                }
                State::Start => self.start(),
                State::Read(snapshot) => match snapshot.await {
                    Ok(snapshot) => {
                        self.delivered(snapshot.revision);
                        self.state = State::Start;
                        return News::All(snapshot);
                    }
                    Err(error) => return self.lost(error),
                },
                State::Watch(changes) => match changes.next().await {
                    Some(Ok(changes)) => {
                        self.delivered(changes.revision);
                        return News::Changes(changes);
                    }
                    // The changes in between are gone: only a full read helps.
                    Some(Err(NbError::Compacted { .. })) | None => {
                        self.after = None;
                        self.state = State::Start;
                    }
                    Some(Err(error)) => return self.lost(error),
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

    fn delivered(&mut self, revision: Revision) {
        self.after = Some(revision);
        self.wait = FIRST_WAIT;
    }

    /// Scatters the wait: all hosts lose a DB in the same moment.
    fn lost(&mut self, error: NbError) -> News {
        let percent = 50 + (RandomState::new().hash_one(()) % 51) as u32;
        self.state = State::Wait(Instant::now() + self.wait * percent / 100);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        News::Lost(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::stream;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::nb::{Op, Record, Revision, Table};

    /// How long a read takes, and how often somebody else has the control thread's attention meanwhile.
    const SLOW: Duration = Duration::from_millis(200);
    const DISTURBED: Duration = Duration::from_millis(20);

    /// A DB that cannot be read at first, and is slow then.
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

        async fn transact(&self, _: Vec<Op>) -> Result<Revision, NbError> {
            Ok(Revision(0))
        }

        async fn allocate_unique_key(&self, _: Table) -> Result<u32, NbError> {
            Ok(1)
        }

        fn confirmed(&self) -> Option<std::time::Instant> {
            None
        }
    }

    async fn news_between_disturbances(follower: &mut Follower) -> News {
        // Far more than the pause and the read together take.
        for _ in 0..1000 {
            if let Ok(news) = timeout(DISTURBED, follower.next()).await {
                return news;
            }
        }
        panic!("no news in {:?}", DISTURBED * 1000);
    }

    #[test]
    fn a_db_that_comes_back_is_read_however_often_the_wait_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let db = Arc::new(Recovering::default());
            let mut follower = Follower::new(Arc::clone(&db) as Arc<dyn NorthboundDb>);
            assert!(matches!(news_between_disturbances(&mut follower).await, News::Lost(_)));
            assert!(matches!(news_between_disturbances(&mut follower).await, News::All(_)));
            assert_eq!(db.reads.load(Ordering::Relaxed), 2, "a read that was begun is waited for");
        });
    }
}
