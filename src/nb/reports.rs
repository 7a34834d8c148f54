//! What this host tells the cloud, beside the records: that it lives, and which of its ports forward.
//!
//! A report holds for [`LIFETIME`] and is renewed before that ends, so that those of a host that dies go with it. They are
//! for Neutron to tell the truth about a port's state; Dragonflow's own tables stay free of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::NbError;

/// How long a report holds when it is not renewed.
pub(super) const LIFETIME: Duration = Duration::from_secs(10);
/// How often reports are renewed.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long to wait before a store that failed is tried again, at first and at most. It doubles: some failures stay.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(8);

/// A store's side: the reports of one host.
#[async_trait]
pub(super) trait ReportStore: Send + std::fmt::Debug {
    /// Makes the reports of the host exactly these, for [`LIFETIME`] from now: that it lives, and that `up` forward.
    /// Called at every change and every [`RENEWAL`]; after an error again, with no assumption of what was done.
    async fn report(&mut self, up: &BTreeSet<String>) -> Result<(), NbError>;

    /// Takes them all back.
    async fn withdraw(&mut self) -> Result<(), NbError>;
}

/// The reports of this host, renewed in the background until it is dropped. Needs a tokio runtime.
#[derive(Debug)]
pub struct Reports {
    up: watch::Sender<BTreeSet<String>>,
    outcome: Arc<Mutex<Outcome>>,
    renewing: JoinHandle<()>,
}

/// What the store has answered.
#[derive(Debug, Default)]
struct Outcome {
    /// How many ports are up in the last report that it took, and when that was sent.
    confirmed: Option<(usize, Instant)>,
    /// Why it did not take the last one.
    failure: Option<String>,
}

impl Reports {
    pub(super) fn start(store: Box<dyn ReportStore>) -> Self {
        let (up, wanted) = watch::channel(BTreeSet::new());
        let outcome = Arc::default();
        let renewing = tokio::spawn(renew(store, wanted, Arc::clone(&outcome)));
        Self { up, outcome, renewing }
    }

    /// Sets for each of `lports` whether it forwards here; other ports keep their state. Does not wait for the store. The
    /// cost does not depend on the number of ports that forward.
    pub fn set<'a>(&self, lports: impl IntoIterator<Item = (&'a str, bool)>) {
        self.up.send_if_modified(|up| {
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

    /// Why the store does not have the reports, while that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.outcome.lock().failure.clone()
    }

    /// How many ports the store holds as up: those of the last report that it took, until that expires.
    #[must_use]
    pub fn confirmed_up(&self) -> usize {
        let confirmed = self.outcome.lock().confirmed;
        confirmed.filter(|(_, sent)| sent.elapsed() < LIFETIME).map_or(0, |(up, _)| up)
    }

    /// Withdraws them all, and waits until that is done.
    pub async fn end(self) {
        let Self { up, renewing, .. } = self;
        drop(up);
        // What a failure leaves there ends by itself.
        drop(renewing.await);
    }
}

/// Reports what is wanted, at once and again and again, until nobody wants anything any more.
async fn renew(
    mut store: Box<dyn ReportStore>,
    mut wanted: watch::Receiver<BTreeSet<String>>,
    outcome: Arc<Mutex<Outcome>>,
) {
    let mut retry = FIRST_RETRY;
    loop {
        let up = wanted.borrow_and_update().clone();
        let sent = Instant::now();
        let pause = match store.report(&up).await {
            Ok(()) => {
                *outcome.lock() = Outcome { confirmed: Some((up.len(), sent)), failure: None };
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
        // A change that comes now is reported now.
        if let Ok(Err(_)) = timeout(pause, wanted.changed()).await {
            break;
        }
    }
    if let Err(error) = store.withdraw().await {
        tracing::warn!("reports end in {} s only: {error}", LIFETIME.as_secs());
    }
}
