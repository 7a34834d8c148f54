//! What we see of the NB DB, and what it hears of us.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::follow::News;
use super::snapshot_cache::SnapshotCache;
use crate::api::model::{ChassisRecord, NbState, NbView, StaleReason};
use crate::config::Config;
use crate::nb::{self, NbError, NorthboundDb, Reports, Revision, Snapshot};
use crate::types::{Id, Problem};

/// How long the end may take to say goodbye to a DB that does not answer. What we reported ends by itself then.
const GOODBYE: Duration = Duration::from_secs(3);
/// How often the copy on disk is told that nothing has changed.
const CONFIRMATION: Duration = Duration::from_secs(30);
/// From this age on, a view is a problem.
const STALE: Duration = Duration::from_mins(1);
/// Between two attempts to write our record, at first and at the most.
const ANNOUNCE_FIRST: Duration = Duration::from_secs(1);
const ANNOUNCE_LONGEST: Duration = Duration::from_mins(1);

/// The NB DB from here.
#[derive(Debug)]
pub(super) struct NbSession {
    db: Arc<dyn NorthboundDb>,
    /// Its URL without the password.
    url: String,
    reports: Reports,
    announcing: JoinHandle<()>,
    chassis_record: Arc<Mutex<ChassisRecord>>,
    /// For a DB that is not on this host anyway.
    snapshot_cache: Option<SnapshotCache>,
    next_confirmation: Instant,
    known: Known,
    revision: Option<Revision>,
    lost: Option<Lost>,
}

/// Where the records that are in force come from.
#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    /// The copy on disk, which was all of the DB at that time.
    Copy(SystemTime),
    Read,
}

/// The DB could not be read, at that moment and since.
#[derive(Debug)]
struct Lost {
    at: Instant,
    error: String,
}

impl NbSession {
    /// Opens the DB, which may be away, and the copy of it, which is returned.
    pub(super) async fn open(config: &Config) -> Result<(Self, Option<Snapshot>), NbError> {
        let db = nb::open(&config.nb).await?;
        let reports = nb::reports(&config.nb, &config.chassis).await?;
        let url = nb::masked(&config.nb);
        let (mut snapshot_cache, mut copy) = (None, None);
        if nb::is_remote(&config.nb) {
            let (keeper, found) = SnapshotCache::open(&config.state, &url);
            (snapshot_cache, copy) = (Some(keeper), found);
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
            known: copy.as_ref().map_or(Known::Nothing, |copy| Known::Copy(copy.confirmed)),
            revision: copy.as_ref().map(|copy| copy.snapshot.revision),
            lost: None,
        };
        Ok((session, copy.map(|copy| copy.snapshot)))
    }

    /// The DB.
    pub(super) fn db(&self) -> Arc<dyn NorthboundDb> {
        Arc::clone(&self.db)
    }

    /// Takes note of news that are in force now.
    pub(super) fn note(&mut self, news: News) {
        match news {
            News::All(snapshot) => {
                (self.lost, self.known, self.revision) = (None, Known::Read, Some(snapshot.revision));
                if let Some(snapshot_cache) = &self.snapshot_cache {
                    snapshot_cache.read(snapshot);
                }
            }
            News::Changes(changes) => {
                (self.lost, self.revision) = (None, Some(changes.revision));
                if let Some(snapshot_cache) = &self.snapshot_cache {
                    snapshot_cache.follow(changes);
                }
            }
            News::Lost(error) => {
                let error = error.reason();
                if self.lost.as_ref().is_none_or(|lost| lost.error != error) {
                    tracing::warn!(url = self.url, "{error}; forwarding goes on with what was read last");
                }
                self.lost = Some(Lost { at: Instant::now(), error });
            }
        }
    }

    /// Once a second or so.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if self.next_confirmation <= now && self.lost().is_none() && matches!(self.known, Known::Read) {
            self.next_confirmation = now + CONFIRMATION;
            self.snapshot_cache.iter().for_each(SnapshotCache::confirm);
        }
    }

    /// Reports of ports, each with whether it forwards now.
    pub(super) fn report<'a>(&self, ports: impl Iterator<Item = (&'a Id, bool)>) {
        self.reports.set(ports.map(|(lport, is_up)| (lport.as_str(), is_up)));
    }

    /// Why the DB is not being followed. It may be again without having anything new.
    fn lost(&self) -> Option<&Lost> {
        let lost = self.lost.as_ref()?;
        self.db.confirmed().is_none_or(|confirmed| confirmed <= lost.at).then_some(lost)
    }

    /// How old what is in force may be.
    fn age(&self) -> Option<Duration> {
        match self.known {
            Known::Nothing => None,
            Known::Copy(confirmed) => confirmed.elapsed().ok(),
            Known::Read => self.db.confirmed().map(|confirmed| confirmed.elapsed()),
        }
    }

    /// For `trunkpath show nb`, when so many records cannot be used.
    pub(super) fn view(&self, unusable: usize) -> NbView {
        let lost = self.lost();
        NbView {
            url: self.url.clone(),
            state: match (self.known, lost) {
                (Known::Copy(_), _) => NbState::Stale { reason: StaleReason::CopyOfLastRun },
                (Known::Nothing, _) => NbState::Unread,
                (Known::Read, Some(_)) => NbState::Stale { reason: StaleReason::DbAway },
                (Known::Read, None) => NbState::Followed,
            },
            revision: self.revision.map(|revision| revision.0),
            age_seconds: self.age().map(|age| age.as_secs_f64()),
            error: lost.map(|lost| lost.error.clone()),
            chassis_record: self.chassis_record.lock().clone(),
            reported_up: self.reports.confirmed_up() as u64,
            unusable: unusable as u64,
        }
    }

    /// For `trunkpath show problems`.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let age = || self.age().map_or(0, |age| age.as_secs());
        let lost = self.lost().map(|lost| lost.error.clone());
        let view = match (self.known, lost) {
            (Known::Nothing, lost) => {
                lost.map(|error| format!("{error}; nothing is known of it yet, and it is tried again"))
            }
            (Known::Copy(_), lost) => Some(format!(
                "forwarding by the copy of the last run, {} s old, until it is read: {}",
                age(),
                lost.as_deref().unwrap_or("it is being read")
            )),
            (Known::Read, Some(error)) => Some(format!(
                "{error}; forwarding goes on with what was read last, {} s ago, and it is tried again",
                age()
            )),
            (Known::Read, None) => self.age().filter(|age| *age > STALE).map(|age| {
                format!("what is known of it is {} s old; forwarding goes on with that", age.as_secs())
            }),
        };
        // A DB that is away takes no reports either, and that need not be said twice.
        let is_read = self.lost().is_none();
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

    /// Withdraws what we reported.
    pub(super) async fn close(self) {
        if let Some(lost) = self.lost() {
            tracing::warn!(url = self.url, "the NB DB is away at the end: {}", lost.error);
        }
        self.announcing.abort();
        if timeout(GOODBYE, self.reports.end()).await.is_err() {
            tracing::warn!(
                url = self.url,
                "the NB DB does not answer: what was reported to it ends by itself"
            );
        }
        if let Some(snapshot_cache) = self.snapshot_cache {
            snapshot_cache.close();
        }
    }
}

/// Writes our record in table `chassis`, as Dragonflow's controllers do at their start; patiently.
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

/// The address that this host's packets to the world come from. Nothing is sent.
fn default_ip() -> Option<IpAddr> {
    /// TEST-NET-1 (RFC 5737): behind the default route on any host, and nobody's.
    const FAR_AWAY: &str = "192.0.2.1:9";
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(FAR_AWAY).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
