//! Reports of this host beside the records: that it is alive, for which physical networks it has an uplink,
//! and which of its ports forward.
//!
//! A report expires after [`LIFETIME`] unless it is renewed, so that the reports of a host that fails expire.
//! They let Neutron show the true state of a port; Dragonflow's own tables contain none of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::NbError;

/// The time after which a report that is not renewed expires.
pub(super) const LIFETIME: Duration = Duration::from_secs(10);
const RENEWAL: Duration = Duration::from_secs(3);
/// Bounds of the wait before a failed store is tried again. It doubles with each failure, as some last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(8);

/// The store of the reports of one host.
#[async_trait]
pub(super) trait ReportStore: Send + std::fmt::Debug {
    /// Makes the reports of the host exactly these, for [`LIFETIME`] from now, and reports that it is alive.
    /// Called at every change and every [`RENEWAL`]; called again after an error, which may have left any
    /// part of them in the store.
    async fn report(&mut self, state: &HostState) -> Result<(), NbError>;

    /// Removes all reports of the host.
    async fn withdraw(&mut self) -> Result<(), NbError>;
}

/// The content of a host's reports.
#[derive(Debug, Clone, Default)]
pub(super) struct HostState {
    /// Ids of the ports that forward.
    up: BTreeSet<String>,
    /// Names of the physical networks that are mapped to an uplink. They may contain any character.
    physical_networks: BTreeSet<String>,
}

impl HostState {
    /// The ids of the ports that forward.
    pub fn up(&self) -> impl Iterator<Item = &str> {
        self.up.iter().map(String::as_str)
    }

    /// The names of the reports on the host itself: `chassis`, and `chassis/` with each physical network. An
    /// id has no slash, so they are unambiguous.
    pub fn of_chassis(&self, chassis: &str) -> impl Iterator<Item = String> {
        let networks = self.physical_networks.iter().map(move |network| format!("{chassis}/{network}"));
        networks.chain([chassis.to_owned()])
    }
}

/// The reports of this host, renewed in the background until it is dropped. Needs a tokio runtime.
#[derive(Debug)]
pub struct Reports {
    state: watch::Sender<HostState>,
    outcome: Arc<Mutex<Outcome>>,
    renewing: JoinHandle<()>,
}

/// The results of the latest writes.
#[derive(Debug, Default)]
struct Outcome {
    /// Number of ports in the latest report that the store accepted, and the time at which it was sent.
    confirmed: Option<(usize, Instant)>,
    /// The reason if the latest report was not accepted.
    failure: Option<String>,
}

impl Reports {
    pub(super) fn start(store: Box<dyn ReportStore>) -> Self {
        let (state, wanted) = watch::channel(HostState::default());
        let outcome = Arc::default();
        let renewing = tokio::spawn(renew(store, wanted, Arc::clone(&outcome)));
        Self { state, outcome, renewing }
    }

    /// Sets for each of `lports` whether it forwards here; other ports keep their state. Does not wait for
    /// the store. The cost does not depend on the number of ports that forward.
    pub fn set<'a>(&self, lports: impl IntoIterator<Item = (&'a str, bool)>) {
        self.state.send_if_modified(|HostState { up, .. }| {
            let mut differs = false;
            for (lport, is_up) in lports {
                if is_up && !up.contains(lport) {
                    differs |= up.insert(lport.to_owned());
                } else if !is_up {
                    differs |= up.remove(lport);
                }
            }
            differs
        });
    }

    /// Sets the physical networks of this host. Does not wait for the store.
    pub fn set_physical_networks<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) {
        self.state.send_if_modified(|state| {
            let differs = !names.clone().eq(state.physical_networks.iter().map(String::as_str));
            if differs {
                state.physical_networks = names.map(ToOwned::to_owned).collect();
            }
            differs
        });
    }

    /// The reason if the store does not have the current reports.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.outcome.lock().failure.clone()
    }

    /// Number of ports that the store has as up: those of the latest report that it accepted, until that
    /// expires.
    #[must_use]
    pub fn confirmed_up(&self) -> usize {
        let confirmed = self.outcome.lock().confirmed;
        confirmed.filter(|(_, sent)| sent.elapsed() < LIFETIME).map_or(0, |(up, _)| up)
    }

    /// Removes all reports, and waits until that is done.
    pub async fn end(self) {
        let Self { state, renewing, .. } = self;
        drop(state);
        // What a failure leaves in the store expires.
        drop(renewing.await);
    }
}

/// Writes the reports at each change and at each renewal, until the sender is dropped.
async fn renew(
    mut store: Box<dyn ReportStore>,
    mut wanted: watch::Receiver<HostState>,
    outcome: Arc<Mutex<Outcome>>,
) {
    let mut retry = FIRST_RETRY;
    loop {
        let state = wanted.borrow_and_update().clone();
        let sent = Instant::now();
        let pause = match store.report(&state).await {
            Ok(()) => {
                *outcome.lock() = Outcome { confirmed: Some((state.up.len(), sent)), failure: None };
                retry = FIRST_RETRY;
                RENEWAL
            }
            Err(error) => {
                tracing::debug!("reports are not written: {error}");
                outcome.lock().failure = Some(error.reason());
                let pause = retry;
                retry = (retry * 2).min(LONGEST_RETRY);
                pause
            }
        };
        // A change during the pause is reported at once.
        if let Ok(Err(_)) = timeout(pause, wanted.changed()).await {
            break;
        }
    }
    if let Err(error) = store.withdraw().await {
        tracing::warn!("reports end in {} s only: {error}", LIFETIME.as_secs());
    }
}
