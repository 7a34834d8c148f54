//! Following the NB DB: a snapshot, then every change after it; from the start again when the thread is lost.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::sleep;

use crate::nb::{ChangeSet, NbError, NorthboundDb, Snapshot};

/// How long to wait before the DB is asked again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// What is new in the DB.
#[derive(Debug)]
pub(super) enum News {
    /// All of it was read: forget what was known.
    All(Snapshot),
    /// One transaction.
    Changes(ChangeSet),
    /// It cannot be read. What was known stays in force.
    Lost(NbError),
}

/// The thread through the DB's history.
#[derive(Debug)]
pub(super) struct Follower {
    db: Arc<dyn NorthboundDb>,
    state: State,
}

enum State {
    /// Read everything.
    Read,
    /// Wait, then read everything.
    Wait,
    /// Follow the changes.
    Watch(BoxStream<'static, Result<ChangeSet, NbError>>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "Read",
            Self::Wait => "Wait",
            Self::Watch(_) => "Watch",
        })
    }
}

impl Follower {
    /// Follows `db` from now on.
    pub(super) fn new(db: Arc<dyn NorthboundDb>) -> Self {
        Self { db, state: State::Read }
    }

    /// Waits for news. Cancel-safe: given up half way, it starts over where it was.
    pub(super) async fn next(&mut self) -> News {
        loop {
            match &mut self.state {
                State::Wait => {
                    sleep(RETRY).await;
                    self.state = State::Read;
                }
                State::Read => match self.db.snapshot().await {
                    Ok(snapshot) => {
                        self.state = State::Watch(self.db.watch(snapshot.revision));
                        return News::All(snapshot);
                    }
                    Err(error) => return self.lost(error),
                },
                State::Watch(changes) => match changes.next().await {
                    Some(Ok(changes)) => return News::Changes(changes),
                    // The changes in between are gone, or the stream ended: only a full read helps.
                    Some(Err(NbError::Compacted { .. })) | None => self.state = State::Read,
                    Some(Err(error)) => return self.lost(error),
                },
            }
        }
    }

    fn lost(&mut self, error: NbError) -> News {
        self.state = State::Wait;
        News::Lost(error)
    }
}
