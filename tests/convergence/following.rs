//! A reconciler that follows a store, with simulated links.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout};
use trunkpath::control::links::{LinkEvent, Links};
use trunkpath::control::{Follower, NbEvent, Reconciler};
use trunkpath::nb::{NorthboundDb, Snapshot};
use trunkpath::tables::PortState;
use trunkpath::types::IfIndex;

use super::step::HERE;
use testkit::simulated::{self, Simulated};

/// Maximum time until everything has settled: a failure is detected after seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time without an event after which the state is compared.
const SILENCE: Duration = Duration::from_millis(20);

pub struct FollowingReconciler {
    follower: Follower,
    reconciler: Reconciler<Simulated>,
    links: Links,
}

impl FollowingReconciler {
    pub fn new(db: Arc<dyn NorthboundDb>) -> Self {
        let links = Links::default();
        Self { follower: Follower::new(db), reconciler: simulated::reconciler(HERE, []), links }
    }

    /// Starts again with the present links.
    pub fn restart(&mut self, db: Arc<dyn NorthboundDb>) {
        self.follower = Follower::new(db);
        self.reconciler = simulated::reconciler(HERE, self.links.iter().cloned());
    }

    pub fn apply_link_event(&mut self, event: LinkEvent) {
        event.clone().apply(&mut self.links);
        self.reconciler.apply_link_event(event);
    }

    /// Number of subports that forward.
    pub fn subports_up(&self) -> usize {
        let reports = self.reconciler.compiler().reports();
        reports.filter(|(_, report)| report.parent.is_some() && report.state == PortState::Up).count()
    }

    fn apply(&mut self, event: NbEvent) {
        match event {
            NbEvent::Snapshot(snapshot) => self.reconciler.apply_snapshot(&snapshot),
            NbEvent::Changes(changes) => self.reconciler.apply_changes(&changes),
            NbEvent::Unreachable(_) => {}
        }
    }

    /// Applies the events so far, and reconciles.
    pub async fn round(&mut self) {
        while let Some(event) = self.follower.next().now_or_never() {
            self.apply(event);
        }
        self.reconciler.reconcile().await.unwrap();
    }

    /// Waits until the state equals that of a fresh read of `db`, and returns the remaining differences.
    pub async fn settle(&mut self, db: &dyn NorthboundDb) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            while let Ok(event) = timeout(SILENCE, self.follower.next()).await {
                self.apply(event);
            }
            self.round().await;
            let Ok(snapshot) = db.snapshot().await else { continue };
            let mut differences = self.reconciler.evidence().differences(&snapshot);
            differences.extend(self.devices_differ(&snapshot).await);
            if differences.is_empty() || Instant::now() > until {
                return differences;
            }
        }
    }

    /// Compares the links in use with those that a reconciler uses that gets everything at once, with the
    /// incumbents.
    async fn devices_differ(&self, snapshot: &Snapshot) -> Option<String> {
        let mut fresh = simulated::reconciler(HERE, self.links.iter().cloned());
        fresh.set_incumbents(self.reconciler.incumbents());
        fresh.apply_snapshot(snapshot);
        fresh.reconcile().await.unwrap();
        // A link that is down, or that another program holds now, is kept if it was in use before.
        let is_free = |ifindex: IfIndex| {
            self.links.get(ifindex).is_some_and(|link| link.up && !simulated::is_held(link))
        };
        let taken = |reconciler: &Reconciler<Simulated>| -> BTreeSet<_> {
            reconciler
                .open_links()
                .filter(|(ifindex, _)| is_free(*ifindex))
                .map(|(_, role)| role.to_string())
                .collect()
        };
        let (here, wanted) = (taken(&self.reconciler), taken(&fresh));
        (here != wanted).then(|| format!("devices are taken for {here:?}: expected {wanted:?}"))
    }
}
