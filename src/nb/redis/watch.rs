//! The watch: single records after each event, and all records at an interval.
//!
//! Events and commands share one connection, so that a broken connection is detected by either.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisResult, cmd};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::hint;
use super::message::COMMON_CHANNEL;
use super::picture::Picture;
use super::read::{self, Keys};
use super::session::Server;
use crate::nb::freshness::Freshness;
use crate::nb::{Change, ChangeSet, NbError, Revision};

/// The time without events after which the connection is tested.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The last state that a handle delivered, from which a watch can continue.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered(Arc<Mutex<Option<Arc<Picture>>>>);

impl Delivered {
    pub(super) fn set(&self, picture: Arc<Picture>) {
        *self.0.lock() = Some(picture);
    }

    fn at(&self, revision: Revision) -> Option<Arc<Picture>> {
        self.0.lock().clone().filter(|picture| picture.revision == revision)
    }

    /// Drops the reference to `picture`, so that it can be changed in place.
    fn release(&self, picture: &Arc<Picture>) {
        self.0.lock().take_if(|held| Arc::ptr_eq(held, picture));
    }
}

struct Watch {
    server: Arc<Server>,
    delivered: Delivered,
    freshness: Freshness,
    picture: Arc<Picture>,
    session: Option<Session>,
    /// Returned after the changes that precede it.
    failure: Option<NbError>,
}

/// A connection that receives events.
struct Session {
    connection: MultiplexedConnection,
    events: UnboundedReceiver<PushInfo>,
    /// The projects whose channels are subscribed to.
    topics: BTreeSet<Arc<str>>,
    next_reread: Instant,
    next_ping: Instant,
}

/// The next operation of a watch.
enum Task {
    Look(Keys),
    Reread,
    Ping,
}

/// The changes after revision `after`, which must be that of the last state in `delivered`.
pub(super) fn watch(
    server: Arc<Server>,
    delivered: Delivered,
    freshness: Freshness,
    after: Revision,
) -> BoxStream<'static, Result<ChangeSet, NbError>> {
    let Some(picture) = delivered.at(after) else {
        return stream::iter([Err(NbError::Compacted(after))]).boxed();
    };
    let watch = Watch { server, delivered, freshness, picture, session: None, failure: None };
    stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(set) => Some((Ok(set), Some(watch))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Watch {
    async fn next(&mut self) -> Result<ChangeSet, NbError> {
        loop {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            let mut session = match self.session.take() {
                Some(session) => session,
                None => Session::open(&self.server, &self.picture).await?,
            };
            let task = session.next_task(&self.server, &self.picture).await?;
            self.delivered.release(&self.picture);
            let picture = Arc::make_mut(&mut self.picture);
            let mut changes = Vec::new();
            let started = std::time::Instant::now();
            let whole = matches!(task, Task::Reread);
            let done = session.perform(task, &self.server, picture, &mut changes).await;
            if !changes.is_empty() {
                let least = Revision(picture.revision.0 + 1);
                picture.revision = done.as_ref().map_or(least, |now| least.max(*now));
            }
            self.failure = done.err().map(|error| self.server.failed(error));
            self.delivered.set(Arc::clone(&self.picture));
            if whole && self.failure.is_none() {
                self.freshness.confirm(started);
            }
            self.session = Some(session);
            if !changes.is_empty() {
                return Ok(ChangeSet { revision: self.picture.revision, changes });
            }
        }
    }
}

impl Session {
    async fn open(server: &Server, picture: &Picture) -> Result<Self, NbError> {
        let (sender, events) = unbounded_channel();
        let connection = server.connect_for(sender).await?;
        let now = Instant::now();
        let mut session = Self {
            connection,
            events,
            topics: BTreeSet::new(),
            next_reread: now,
            next_ping: now + PING_INTERVAL,
        };
        session.subscribe(server, picture).await.map_err(|error| server.failed(error))?;
        Ok(session)
    }

    /// Subscribes to all kinds of events. A server may forbid any of them; the interval is sufficient
    /// without.
    async fn subscribe(&mut self, server: &Server, picture: &Picture) -> RedisResult<()> {
        let pattern = hint::keyspace_pattern(server.address.database);
        unless_rejected(self.connection.psubscribe(&pattern).await, &pattern)?;
        unless_rejected(self.connection.subscribe(COMMON_CHANNEL).await, COMMON_CHANNEL)?;
        self.subscribe_to_topics(picture).await?;
        let settings: RedisResult<Vec<String>> =
            cmd("CONFIG").arg("GET").arg("notify-keyspace-events").query_async(&mut self.connection).await;
        // A client that may not read the setting gets no warning, as the notifications may be on.
        if settings.is_ok_and(|settings| settings.get(1).is_some_and(|flags| !are_enough(flags))) {
            let seconds = server.address.reread.as_secs();
            tracing::info!(
                "{}: keyspace notifications are off: what a writer does not publish arrives up to {seconds} s late",
                server.address.shown
            );
        }
        Ok(())
    }

    /// Subscribes to the channels of the projects that have records.
    async fn subscribe_to_topics(&mut self, picture: &Picture) -> RedisResult<()> {
        let new: Vec<_> = picture
            .topics()
            .difference(&self.topics)
            .filter(|topic| !topic.is_empty())
            .map(Arc::clone)
            .collect();
        if !new.is_empty() {
            let names: Vec<&str> = new.iter().map(AsRef::as_ref).collect();
            unless_rejected(self.connection.subscribe(&names[..]).await, &names.join(" "))?;
            self.topics.extend(new);
        }
        Ok(())
    }

    /// Waits for the next operation.
    async fn next_task(&mut self, server: &Server, picture: &Picture) -> Result<Task, NbError> {
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    let event = event.ok_or_else(|| lost(server))?;
                    let keys = self.hints(event, server, picture)?;
                    if !keys.is_empty() {
                        return Ok(Task::Look(keys));
                    }
                }
                () = sleep_until(self.next_reread) => return Ok(Task::Reread),
                () = sleep_until(self.next_ping) => return Ok(Task::Ping),
            }
        }
    }

    /// The keys to read for all events that have arrived, with the other known keys of the same records.
    fn hints(&mut self, first: PushInfo, server: &Server, picture: &Picture) -> Result<Keys, NbError> {
        let mut keys = Keys::new();
        let mut next = Some(first);
        while let Some(event) = next {
            if event.kind == PushKind::Disconnection {
                return Err(lost(server));
            }
            if let Some((record, places)) = hint::read(event, server.address.database) {
                for place in places.into_iter().chain(picture.places(&record).iter().cloned()) {
                    read::add(&mut keys, record.clone(), place);
                }
            }
            next = self.events.try_recv().ok();
        }
        Ok(keys)
    }

    /// Performs a task, and adds the resulting changes. Returns a time on the server's clock before them.
    async fn perform(
        &mut self,
        task: Task,
        server: &Server,
        picture: &mut Picture,
        changes: &mut Vec<Change>,
    ) -> RedisResult<Revision> {
        // This also tests the connection.
        let now = read::now(&mut self.connection).await?;
        self.next_ping = Instant::now() + PING_INTERVAL;
        match task {
            Task::Ping => {}
            Task::Look(keys) => {
                let update = |record, found| changes.extend(picture.update(&record, found));
                read::contents(&mut self.connection, keys, update).await?;
            }
            Task::Reread => {
                read::everything(&mut self.connection, picture, changes).await?;
                self.next_reread = Instant::now() + server.address.reread;
            }
        }
        if !changes.is_empty() {
            self.subscribe_to_topics(picture).await?;
        }
        Ok(now)
    }
}

/// Whether these notifications include every change of a string key.
fn are_enough(flags: &str) -> bool {
    flags.contains('K') && (flags.contains('A') || (flags.contains('$') && flags.contains('g')))
}

fn lost(server: &Server) -> NbError {
    server.error("the connection was lost: it is made again")
}

/// Continues without a subscription that the server rejects. Other errors are those of the connection.
fn unless_rejected(subscribed: RedisResult<()>, channels: &str) -> RedisResult<()> {
    match subscribed {
        Err(error) if error.code().is_some() => {
            tracing::warn!(
                "cannot subscribe to {channels}: {error}: changes published there arrive at the next read of all records"
            );
            Ok(())
        }
        outcome => outcome,
    }
}
