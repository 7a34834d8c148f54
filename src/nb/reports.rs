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
use tokio::time::timeout;

use super::NbError;

/// How long a report holds when it is not renewed.
pub(super) const LIFETIME: Duration = Duration::from_secs(10);
/// How often reports are renewed.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long to wait before a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

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
    failure: Arc<Mutex<Option<String>>>,
    renewing: JoinHandle<()>,
}

impl Reports {
    pub(super) fn start(store: Box<dyn ReportStore>) -> Self {
        let (up, wanted) = watch::channel(BTreeSet::new());
        let failure = Arc::default();
        let renewing = tokio::spawn(renew(store, wanted, Arc::clone(&failure)));
        Self { up, failure, renewing }
    }

    /// From now on exactly these logical ports forward here. Does not wait for the store.
    pub fn set_up(&self, lports: BTreeSet<String>) {
        self.up.send_if_modified(|up| {
            let differs = *up != lports;
            *up = lports;
            differs
        });
    }

    /// Why the store does not have the reports, while that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
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
    failure: Arc<Mutex<Option<String>>>,
) {
    loop {
        let up = wanted.borrow_and_update().clone();
        let outcome = store.report(&up).await.map_err(|error| error.to_string());
        let pause = if outcome.is_ok() { RENEWAL } else { RETRY };
        if let Err(error) = &outcome {
            tracing::debug!("reports are not written: {error}");
        }
        *failure.lock() = outcome.err();
        // A change that comes now is reported now.
        if let Ok(Err(_)) = timeout(pause, wanted.changed()).await {
            break;
        }
    }
    if let Err(error) = store.withdraw().await {
        tracing::warn!("reports end in {} s only: {error}", LIFETIME.as_secs());
    }
}
