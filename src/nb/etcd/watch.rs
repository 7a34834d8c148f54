//! The watch on a cluster.
//!
//! A watch ends with its server, or when the server loses its cluster; the server
//! reports that, or it is silent (frozen, cable unplugged). So the watch requests a progress report after a
//! time of silence, and if there is none it continues at another server after the last revision that it has
//! received. Compaction and rejections arrive as a message, not as an error.

use std::collections::VecDeque;
use std::time::Duration;

use etcd_client::{Event, EventType, GetOptions, KeyValue, WatchOptions, WatchResponse, WatchStream};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, sleep, timeout};

use super::cluster::Connection;
use super::error::{EtcdError, Failure, Remedy};
use super::history::Followed;
use super::layout::{Layout, json};
use super::read::{LONGEST_ANSWER, get, revision_of};
use super::store::Etcd;
use crate::nb::{Change, ChangeSet, NbError, Record, Revision};

/// The time without messages after which a progress report is requested, and the time to wait for it.
const SILENCE: Duration = Duration::from_secs(2);
/// The time after which an unreachable cluster is an error of the watch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two attempts to continue.
const PAUSE: Duration = Duration::from_millis(200);

struct Watcher {
    etcd: Etcd,
    /// The position, including the transactions in `ready`.
    followed: Followed,
    live: Option<Live>,
    /// The time of the last message, while no server sends any.
    lost: Option<Instant>,
    ready: VecDeque<ChangeSet>,
}

struct Live {
    stream: WatchStream,
    connection: Connection,
    /// Whether a progress report was requested.
    requested: bool,
}

/// The reason why a server is not used any more.
enum Stop {
    /// This server failed; another may continue.
    Server(Failure),
    /// No server can continue.
    Watch(NbError),
}

/// All transactions after `after`, in order, until an error.
pub(super) fn watch(etcd: Etcd, after: Revision) -> BoxStream<'static, Result<ChangeSet, NbError>> {
    let followed = etcd.history.after(after.0.cast_signed());
    let watcher = Watcher { etcd, followed, live: None, lost: None, ready: VecDeque::new() };
    stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(set) => Some((Ok(set), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Watcher {
    async fn next(&mut self) -> Result<ChangeSet, NbError> {
        loop {
            if let Some(set) = self.ready.pop_front() {
                self.followed.advance(&self.etcd.layout, &set);
                self.store_position();
                return Ok(set);
            }
            match self.receive().await {
                Ok(()) => {}
                Err(Stop::Watch(error)) => return Err(error),
                Err(Stop::Server(failure)) => self.wait(failure).await?,
            }
        }
    }

    /// Stores the position in the handle, so that its next watch can continue from there.
    fn store_position(&self) {
        let Followed { delivered, seen, .. } = self.followed;
        let seen = if self.ready.is_empty() { seen } else { delivered };
        self.etcd.history.set(Followed { seen, ..self.followed.clone() });
    }

    /// Receives one message from the present server, or from the next one.
    async fn receive(&mut self) -> Result<(), Stop> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.start().await?,
        };
        self.receive_from(&mut live).await?;
        self.live = Some(live);
        Ok(())
    }

    /// Waits before the next server is tried. A server that accepts a watch and sends nothing counts as
    /// unreachable, so that the time limit holds.
    async fn wait(&mut self, failure: Failure) -> Result<(), NbError> {
        if self.lost.is_none() {
            tracing::warn!(after = self.followed.seen, "the watch tries the next server: {}", failure.error);
        }
        let since = *self.lost.get_or_insert_with(Instant::now);
        if failure.remedy == Remedy::None || since.elapsed() > PATIENCE {
            return Err(self.etcd.cluster.named(failure.error));
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Starts the watch after the last revision received.
    async fn start(&mut self) -> Result<Live, Stop> {
        let Etcd { cluster, layout, .. } = &self.etcd;
        let (first, end) = layout.tables();
        // A linearizable read first: it renews an expired login, and shows a lost permission or another
        // history. etcd itself would wait without a message for a revision in the future.
        let options = GetOptions::new().with_range(end.clone()).with_limit(1).with_keys_only();
        let (answer, connection) =
            cluster.request_once(|client| get(client, first.clone(), options)).await.map_err(Stop::Server)?;
        let cluster_id = answer.header().map(etcd_client::ResponseHeader::cluster_id);
        let known = self.followed.cluster_id;
        let other = known.is_some() && known != cluster_id;
        if other || revision_of(&answer) < self.followed.seen || !self.has_witness().await? {
            return Err(Stop::Watch(self.compacted()));
        }
        self.followed.cluster_id = cluster_id;

        let next = self.followed.seen + 1;
        let options = WatchOptions::new().with_range(end).with_start_revision(next).with_progress_notify();
        let mut client = connection.client.watch_client().max_decoding_message_size(LONGEST_ANSWER);
        match timeout(SILENCE * 2, client.watch(first, Some(options))).await {
            Ok(Ok(stream)) => Ok(Live { stream, connection, requested: false }),
            Ok(Err(error)) => Err(Stop::Server(cluster.failed(&connection, &error))),
            Err(_) => Err(Stop::Server(cluster.timed_out(&connection, SILENCE * 2))),
        }
    }

    /// Whether the store has the history that was delivered, as far as that is known.
    async fn has_witness(&self) -> Result<bool, Stop> {
        let Some(witness) = &self.followed.witness else { return Ok(true) };
        let options = GetOptions::new().with_revision(self.followed.seen).with_keys_only();
        match self.etcd.fetch(witness.key.clone().into(), options).await {
            Ok(answer) => Ok(answer.kvs().first().map(KeyValue::mod_revision) == Some(witness.written)),
            Err(Failure { error: EtcdError::Compacted, .. }) => Ok(false),
            Err(failure) => Err(Stop::Server(failure)),
        }
    }

    fn compacted(&self) -> NbError {
        NbError::Compacted(Revision(self.followed.delivered.cast_unsigned()))
    }

    /// Receives the next message, or requests a progress report.
    async fn receive_from(&mut self, live: &mut Live) -> Result<(), Stop> {
        let cluster = &self.etcd.cluster;
        let message = match timeout(SILENCE, live.stream.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => {
                let error = etcd_client::Error::WatchError("the server ended the watch".to_owned());
                return Err(Stop::Server(cluster.failed(&live.connection, &error)));
            }
            Ok(Err(error)) => return Err(Stop::Server(cluster.failed(&live.connection, &error))),
            Err(_) if live.requested => {
                return Err(Stop::Server(cluster.timed_out(&live.connection, SILENCE * 2)));
            }
            Err(_) => {
                live.requested = true;
                let request = live.stream.request_progress().await;
                return request.map_err(|error| Stop::Server(cluster.failed(&live.connection, &error)));
            }
        };
        live.requested = false;
        self.apply(&message)
    }

    fn apply(&mut self, message: &WatchResponse) -> Result<(), Stop> {
        if message.compact_revision() != 0 {
            return Err(Stop::Watch(self.compacted()));
        }
        if message.canceled() {
            let reason = message.cancel_reason().to_owned();
            let denied = reason.contains("permission denied");
            let error = if denied { EtcdError::Permission(reason) } else { EtcdError::Other(reason) };
            return Err(Stop::Watch(self.etcd.cluster.named(error)));
        }
        if message.created() {
            // Precedes the events after the start revision.
            return Ok(());
        }
        self.lost = None;
        let seen = self.followed.seen;
        self.ready.extend(sets(&self.etcd.layout, message.events(), seen));
        if let Some(last) = message.events().iter().filter_map(Event::kv).map(KeyValue::mod_revision).max() {
            self.followed.seen = seen.max(last);
        } else if message.watch_id() >= 0 {
            // A periodic report of progress. The answer to a request has no watch id, and before etcd 3.4.25
            // it may precede earlier events.
            let revision = message.header().map_or(0, etcd_client::ResponseHeader::revision);
            self.followed.seen = seen.max(revision);
        }
        if self.ready.is_empty() {
            self.store_position();
        }
        // Events arrive in order, and an answer to a request follows a silence in which pending events would
        // have been sent.
        self.etcd.freshness.confirm(std::time::Instant::now());
        Ok(())
    }
}

/// Groups the events into transactions. A message has whole ones only, each record of a transaction at most
/// once.
fn sets(layout: &Layout, events: &[Event], after: i64) -> Vec<ChangeSet> {
    let mut sets: Vec<ChangeSet> = Vec::new();
    for event in events {
        let Some(pair) = event.kv().filter(|pair| pair.mod_revision() > after) else { continue };
        let Some(record) = layout.parse(pair.key()) else { continue };
        let change = match event.event_type() {
            EventType::Put => {
                Change::Put(Record { table: record.table, id: record.id, json: json(pair.value()) })
            }
            EventType::Delete => Change::Delete { table: record.table, id: record.id },
        };
        let revision = Revision(pair.mod_revision().cast_unsigned());
        match sets.last_mut().filter(|set| set.revision == revision) {
            Some(set) => set.changes.push(change),
            None => sets.push(ChangeSet { revision, changes: vec![change] }),
        }
    }
    sets
}
