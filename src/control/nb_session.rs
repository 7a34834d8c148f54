//! The session of this host with the NB DB: whether its records are followed, and what this host writes into
//! it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::follow::NbEvent;
use super::snapshot_cache::SnapshotCache;
use crate::api::model::{ChassisRecord, NbState, NbView, StaleReason};
use crate::config::Config;
use crate::nb::{self, NbError, NorthboundDb, Reports, Revision, Snapshot};
use crate::types::{Id, Problem};

/// Upper bound of the time in which the reports are withdrawn at the end. Later they expire.
const WITHDRAWAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Interval at which the copy on disk is confirmed without a change.
const CONFIRMATION: Duration = Duration::from_secs(30);
/// From this age on, the records in force are a problem.
const STALE: Duration = Duration::from_mins(1);
/// The first and the longest pause between two attempts to write the chassis record.
const ANNOUNCE_FIRST: Duration = Duration::from_secs(1);
const ANNOUNCE_LONGEST: Duration = Duration::from_mins(1);

/// The NB DB, the reports to it and the copy of it.
#[derive(Debug)]
pub(super) struct NbSession {
    db: Arc<dyn NorthboundDb>,
    /// URL of the NB DB without the password.
    url: String,
    reports: Reports,
    announcing: JoinHandle<()>,
    chassis_record: Arc<Mutex<ChassisRecord>>,
    /// `None` for a DB that is a file on this host.
    snapshot_cache: Option<SnapshotCache>,
    next_confirmation: Instant,
    source: RecordSource,
    revision: Option<Revision>,
    outage: Option<Outage>,
}

/// The origin of the records in force.
#[derive(Debug, Clone, Copy)]
enum RecordSource {
    None,
    /// The copy on disk, which was complete at this time.
    Copy(SystemTime),
    Db,
}

/// The DB cannot be read since this time.
#[derive(Debug)]
struct Outage {
    since: Instant,
    error: String,
}

impl NbSession {
    /// Opens the DB, which may be unreachable, and returns the copy of its records on disk.
    pub(super) async fn open(config: &Config) -> Result<(Self, Option<Snapshot>), NbError> {
        let db = nb::open(&config.nb).await?;
        let reports = nb::reports(&config.nb, &config.chassis).await?;
        let url = nb::masked(&config.nb);
        let (mut snapshot_cache, mut copy) = (None, None);
        if nb::is_remote(&config.nb) {
            let (cache, found) = SnapshotCache::open(&config.state, &url);
            (snapshot_cache, copy) = (Some(cache), found);
        }
        let chassis_record = Arc::new(Mutex::new(ChassisRecord::Pending));
        let announced =
            announce(Arc::clone(&db), config.chassis.clone(), config.local_ip, Arc::clone(&chassis_record));
        let session = Self {
            db,
            url,
            reports,
            announcing: tokio::spawn(announced),
            chassis_record,
            snapshot_cache,
            next_confirmation: Instant::now(),
            source: copy.as_ref().map_or(RecordSource::None, |copy| RecordSource::Copy(copy.confirmed)),
            revision: copy.as_ref().map(|copy| copy.snapshot.revision),
            outage: None,
        };
        Ok((session, copy.map(|copy| copy.snapshot)))
    }

    pub(super) fn db(&self) -> Arc<dyn NorthboundDb> {
        Arc::clone(&self.db)
    }

    /// Records an event whose records are in force now.
    pub(super) fn apply_event(&mut self, event: NbEvent) {
        match event {
            NbEvent::Snapshot(snapshot) => {
                (self.outage, self.source) = (None, RecordSource::Db);
                self.revision = Some(snapshot.revision);
                if let Some(snapshot_cache) = &self.snapshot_cache {
                    snapshot_cache.store_snapshot(snapshot);
                }
            }
            NbEvent::Changes(changes) => {
                (self.outage, self.revision) = (None, Some(changes.revision));
                if let Some(snapshot_cache) = &self.snapshot_cache {
                    snapshot_cache.store_changes(changes);
                }
            }
            NbEvent::Unreachable(error) => {
                let error = error.reason();
                if self.outage.as_ref().is_none_or(|outage| outage.error != error) {
                    tracing::warn!(url = self.url, "{error}; forwarding goes on with what was read last");
                }
                self.outage = Some(Outage { since: Instant::now(), error });
            }
        }
    }

    /// Confirms the copy on disk if that is due. Called once a second.
    pub(super) fn confirm_cache(&mut self) {
        let now = Instant::now();
        let is_followed = self.outage().is_none() && matches!(self.source, RecordSource::Db);
        if self.next_confirmation <= now && is_followed {
            self.next_confirmation = now + CONFIRMATION;
            self.snapshot_cache.iter().for_each(SnapshotCache::store_confirmation);
        }
    }

    /// Reports for each of these ports whether it forwards now.
    pub(super) fn report<'a>(&self, ports: impl Iterator<Item = (&'a Id, bool)>) {
        self.reports.set(ports.map(|(lport, is_up)| (lport.as_str(), is_up)));
    }

    /// Reports the physical networks that have an uplink here.
    pub(super) fn report_physical_networks<'a>(&self, names: impl Iterator<Item = &'a Id> + Clone) {
        self.reports.set_physical_networks(names.map(Id::as_str));
    }

    /// The outage, unless the DB has answered since: that need not be an event.
    fn outage(&self) -> Option<&Outage> {
        let outage = self.outage.as_ref()?;
        self.db.confirmed().is_none_or(|confirmed| confirmed <= outage.since).then_some(outage)
    }

    /// Upper bound of the age of the records in force.
    fn age(&self) -> Option<Duration> {
        match self.source {
            RecordSource::None => None,
            RecordSource::Copy(confirmed) => confirmed.elapsed().ok(),
            RecordSource::Db => self.db.confirmed().map(|confirmed| confirmed.elapsed()),
        }
    }

    /// The view for `trunkpath show nb`; `unusable` is the number of records with a problem.
    pub(super) fn view(&self, unusable: usize) -> NbView {
        let outage = self.outage();
        NbView {
            url: self.url.clone(),
            state: match (self.source, outage) {
                (RecordSource::Copy(_), _) => NbState::Stale { reason: StaleReason::CopyOfLastRun },
                (RecordSource::None, _) => NbState::Unread,
                (RecordSource::Db, Some(_)) => NbState::Stale { reason: StaleReason::DbAway },
                (RecordSource::Db, None) => NbState::Followed,
            },
            revision: self.revision.map(|revision| revision.0),
            age_seconds: self.age().map(|age| age.as_secs_f64()),
            error: outage.map(|outage| outage.error.clone()),
            chassis_record: self.chassis_record.lock().clone(),
            reported_up: self.reports.confirmed_up() as u64,
            unusable: unusable as u64,
        }
    }

    /// The problems of the session for `trunkpath show problems`.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let age = || self.age().map_or(0, |age| age.as_secs());
        let error = self.outage().map(|outage| outage.error.clone());
        let view = match (self.source, error) {
            (RecordSource::None, error) => {
                error.map(|error| format!("{error}; nothing is known of it yet, and it is tried again"))
            }
            (RecordSource::Copy(_), error) => Some(format!(
                "forwarding by the copy of the last run, {} s old, until it is read: {}",
                age(),
                error.as_deref().unwrap_or("it is being read")
            )),
            (RecordSource::Db, Some(error)) => Some(format!(
                "{error}; forwarding goes on with what was read last, {} s ago, and it is tried again",
                age()
            )),
            (RecordSource::Db, None) => self.age().filter(|age| *age > STALE).map(|age| {
                format!("what is known of it is {} s old; forwarding goes on with that", age.as_secs())
            }),
        };
        // An unreachable DB accepts no reports either: that is the same problem.
        let is_read = self.outage().is_none();
        let unreported = self.reports.failure().map(|reason| format!("reports: {reason}"));
        let unannounced = match &*self.chassis_record.lock() {
            ChassisRecord::Failed { reason } => {
                Some(format!("this host's record in table chassis: {reason}"))
            }
            ChassisRecord::Pending | ChassisRecord::NoAddress | ChassisRecord::Written => None,
        };
        let (unreported, unannounced) = (unreported.filter(|_| is_read), unannounced.filter(|_| is_read));
        let unkept = self.snapshot_cache.as_ref().and_then(SnapshotCache::failure);
        let reasons = [view, unreported, unannounced, unkept].into_iter().flatten();
        reasons.map(|reason| Problem::new(format!("NB DB {}", self.url), reason)).collect()
    }

    /// Withdraws the reports, and closes the copy.
    pub(super) async fn close(self) {
        if let Some(outage) = self.outage() {
            tracing::warn!(url = self.url, "the NB DB is unreachable at the end: {}", outage.error);
        }
        self.announcing.abort();
        if timeout(WITHDRAWAL_TIMEOUT, self.reports.end()).await.is_err() {
            tracing::warn!(url = self.url, "the NB DB does not answer: the reports expire by themselves");
        }
        if let Some(snapshot_cache) = self.snapshot_cache {
            snapshot_cache.close();
        }
    }
}

/// Writes the record of this host in table `chassis`, as Dragonflow's controllers do at their start. Repeats
/// it until it succeeds.
async fn announce(
    db: Arc<dyn NorthboundDb>,
    chassis: String,
    ip: Option<IpAddr>,
    chassis_record: Arc<Mutex<ChassisRecord>>,
) {
    let Some(ip) = ip.or_else(default_ip) else {
        tracing::info!(
            "note: this chassis is not reported to other hosts: no --local-ip and no default route; forwarding does not depend on it"
        );
        *chassis_record.lock() = ChassisRecord::NoAddress;
        return;
    };
    let mut pause = ANNOUNCE_FIRST;
    while let Err(error) = nb::write_chassis(&*db, &chassis, ip).await {
        *chassis_record.lock() = ChassisRecord::Failed { reason: error.reason() };
        sleep(pause).await;
        pause = (pause * 2).min(ANNOUNCE_LONGEST);
    }
    *chassis_record.lock() = ChassisRecord::Written;
}

/// The source address of packets by the default route. Sends no packet.
fn default_ip() -> Option<IpAddr> {
    /// TEST-NET-1 (RFC 5737): behind the default route of any host, and assigned to none.
    const FAR_AWAY: &str = "192.0.2.1:9";
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(FAR_AWAY).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
