//! Following the changes.
//!
//! A watch ends with its server, or when that is cut off; the server says so, or says nothing (it is frozen, the cable
//! is out). So the watch asks for a sign of life after a time of silence, and when there is none goes on
//! at another server, after the last revision that it has seen. Compaction and refusals come as a message, not as an error.

use std::collections::VecDeque;
use std::time::Duration;

use etcd_client::{Event, EventType, GetOptions, KeyValue, WatchOptions, WatchResponse, WatchStream};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, sleep, timeout};

use super::Etcd;
use super::cluster::Connection;
use super::error::{EtcdError, Failure, Remedy};
use super::history::Followed;
use super::layout::{Layout, json};
use super::read::{LONGEST_ANSWER, get, revision_of};
use crate::nb::{Change, ChangeSet, NbError, Record, Revision};

/// After so much silence the server is asked for a sign of life, which it has as much time again to give.
const SILENCE: Duration = Duration::from_secs(2);
/// How long the cluster may be away before the caller hears of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to go on.
const PAUSE: Duration = Duration::from_millis(200);

/// A watch.
struct Watcher {
    etcd: Etcd,
    /// How far it came, what is ready included.
    followed: Followed,
    live: Option<Live>,
    /// Since when nothing was heard from any server.
    lost: Option<Instant>,
    ready: VecDeque<ChangeSet>,
}

/// A watch at a server.
struct Live {
    stream: WatchStream,
    connection: Connection,
    /// A sign of life was asked for.
    asked: bool,
}

/// Why there is nothing more to follow here.
enum Stop {
    /// This server failed; another may go on.
    Server(Failure),
    /// No server can.
    Watch(NbError),
}

/// All transactions after `after`, in order, for ever or until an error.
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
                self.followed.deliver(&self.etcd.layout, &set);
                self.note();
                return Ok(set);
            }
            match self.go_on().await {
                Ok(()) => {}
                Err(Stop::Watch(error)) => return Err(error),
                Err(Stop::Server(failure)) => self.wait(failure).await?,
            }
        }
    }

    /// Lets the handle know how far it came, so that its next watch can go on from there.
    fn note(&self) {
        let Followed { delivered, seen, .. } = self.followed;
        let seen = if self.ready.is_empty() { seen } else { delivered };
        self.etcd.history.set(Followed { seen, ..self.followed.clone() });
    }

    /// Hears from the server that it is at, or from another.
    async fn go_on(&mut self) -> Result<(), Stop> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.start().await?,
        };
        self.listen(&mut live).await?;
        self.live = Some(live);
        Ok(())
    }

    /// Waits a moment before a server is tried again, with patience: one that lets a watch begin and never says anything on it
    /// is no better than none.
    async fn wait(&mut self, failure: Failure) -> Result<(), NbError> {
        if self.lost.is_none() {
            tracing::warn!(after = self.followed.seen, "the watch looks for a server: {}", failure.error);
        }
        let since = *self.lost.get_or_insert_with(Instant::now);
        if failure.remedy == Remedy::None || since.elapsed() > PATIENCE {
            return Err(self.etcd.cluster.named(failure.error));
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Starts the watch after the last revision seen.
    async fn start(&mut self) -> Result<Live, Stop> {
        let Etcd { cluster, layout, .. } = &self.etcd;
        let (first, end) = layout.tables();
        // A linearizable read first: it renews an expired login, shows a lost permission, and that the history is still the
        // one followed: etcd itself would wait without a word for a revision that is yet to come.
        let options = GetOptions::new().with_range(end.clone()).with_limit(1).with_keys_only();
        let (answer, connection) =
            cluster.ask_once(|client| get(client, first.clone(), options)).await.map_err(Stop::Server)?;
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
            Ok(Ok(stream)) => Ok(Live { stream, connection, asked: false }),
            Ok(Err(error)) => Err(Stop::Server(cluster.failed(&connection, &error))),
            Err(_) => Err(Stop::Server(cluster.silent(&connection, SILENCE * 2))),
        }
    }

    /// Whether the history is the one that was followed, as far as that is known.
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

    /// Takes the next message, or asks for one.
    async fn listen(&mut self, live: &mut Live) -> Result<(), Stop> {
        let cluster = &self.etcd.cluster;
        let message = match timeout(SILENCE, live.stream.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => {
                let error = etcd_client::Error::WatchError("the server ended the watch".to_owned());
                return Err(Stop::Server(cluster.failed(&live.connection, &error)));
            }
            Ok(Err(error)) => return Err(Stop::Server(cluster.failed(&live.connection, &error))),
            Err(_) if live.asked => return Err(Stop::Server(cluster.silent(&live.connection, SILENCE * 2))),
            Err(_) => {
                live.asked = true;
                let asking = live.stream.request_progress().await;
                return asking.map_err(|error| Stop::Server(cluster.failed(&live.connection, &error)));
            }
        };
        live.asked = false;
        self.take(&message)
    }

    fn take(&mut self, message: &WatchResponse) -> Result<(), Stop> {
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
            // Comes before what there is to catch up on.
            return Ok(());
        }
        self.lost = None;
        let seen = self.followed.seen;
        self.ready.extend(sets(&self.etcd.layout, message.events(), seen));
        if let Some(last) = message.events().iter().filter_map(Event::kv).map(KeyValue::mod_revision).max() {
            self.followed.seen = seen.max(last);
        } else if message.watch_id() >= 0 {
            // The server's own report of progress. An answer to ours has no watch id, and in etcd before 3.4.25 says
            // nothing of the events that are still under way.
            let revision = message.header().map_or(0, etcd_client::ResponseHeader::revision);
            self.followed.seen = seen.max(revision);
        }
        if self.ready.is_empty() {
            self.note();
        }
        // Events come in order; and an answer to us comes after a silence that none would have kept who had any to send.
        self.etcd.freshness.confirm(std::time::Instant::now());
        Ok(())
    }
}

/// The events as transactions. A message always holds whole ones, each record of a transaction at most once.
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
