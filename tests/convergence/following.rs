//! A reconciler that follows a store, with simulated links.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout};
use trunkpath::config::Settings;
use trunkpath::control::links::{Link, LinkEvent, Links};
use trunkpath::control::{Follower, NbEvent, Reconciler};
use trunkpath::nb::{NorthboundDb, Snapshot};
use trunkpath::tables::{PortState, UnderlayPaths};

use super::hosts::UPLINKS;
use super::step::HERE;
use testkit::simulated::{self, Simulated};
use testkit::simulated_underlay::SimulatedUnderlay;

/// Maximum time until everything has settled: a failure is detected after seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time without an event after which the state is compared.
const SILENCE: Duration = Duration::from_millis(20);

pub struct FollowingReconciler {
    follower: Follower,
    reconciler: Reconciler<Simulated>,
    links: Links,
    underlay: SimulatedUnderlay,
}

fn reconciler(links: Links) -> Reconciler<Simulated> {
    let uplinks = UPLINKS.map(|(physical, link)| (physical.to_owned(), link.to_owned())).into();
    let settings = Settings { chassis: Some(HERE.to_owned()), uplinks, ..Settings::default() };
    simulated::reconciler_with(settings, links)
}

impl FollowingReconciler {
    pub fn new(db: Arc<dyn NorthboundDb>) -> Self {
        let (links, underlay) = (Links::default(), SimulatedUnderlay::default());
        Self { follower: Follower::new(db), reconciler: reconciler(links.clone()), links, underlay }
    }

    /// Starts again with the present links and results of searches.
    pub fn restart(&mut self, db: Arc<dyn NorthboundDb>) {
        self.follower = Follower::new(db);
        self.reconciler = reconciler(self.links.clone());
        self.underlay = SimulatedUnderlay::new(self.underlay.results.clone());
    }

    pub fn apply_link_event(&mut self, event: LinkEvent) {
        event.clone().apply(&mut self.links);
        self.reconciler.apply_link_event(event);
    }

    pub fn apply_paths(&mut self, address: IpAddr, paths: UnderlayPaths) {
        self.underlay.set(address, paths, &mut self.reconciler);
    }

    /// Number of hosts that are reached.
    pub fn hosts_reached(&self) -> usize {
        self.reconciler.tables().peers().filter(|peer| peer.paths.is_ok()).count()
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
        self.underlay.reconcile(&mut self.reconciler).await;
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
            differences.extend(self.uses_differ(&snapshot).await);
            if differences.is_empty() || Instant::now() > until {
                return differences;
            }
        }
    }

    /// Compares the links and the endpoints in use with those that a reconciler uses that gets everything at
    /// once, with the incumbents.
    async fn uses_differ(&self, snapshot: &Snapshot) -> Vec<String> {
        let mut fresh = reconciler(self.links_before());
        let mut underlay = SimulatedUnderlay::new(self.underlay.results.clone());
        fresh.set_incumbents(self.reconciler.incumbents());
        fresh.apply_snapshot(snapshot);
        underlay.reconcile(&mut fresh).await;
        fresh.apply_link_event(LinkEvent::Resync(self.links.clone()));
        underlay.reconcile(&mut fresh).await;
        let taken = |reconciler: &Reconciler<Simulated>| -> BTreeSet<_> {
            reconciler.open_links().map(|(ifindex, role)| (ifindex.get(), role.to_string())).collect()
        };
        let (here, wanted) = (taken(&self.reconciler), taken(&fresh));
        let links = (here != wanted).then(|| format!("devices are taken for {here:?}: expected {wanted:?}"));
        let (here, wanted) = (self.underlay.in_use(), underlay.in_use());
        let endpoints = (here != wanted).then(|| format!("{here:?} are in use: expected {wanted:?}"));
        links.into_iter().chain(endpoints).collect()
    }

    /// The links before an open one was switched off, or could not be opened again because another program
    /// holds it: it is kept, and so is what its port needs.
    fn links_before(&self) -> Links {
        let mut before = self.links.clone();
        let open = self.reconciler.open_links().filter_map(|(ifindex, _)| self.links.get(ifindex));
        for link in open {
            let name = simulated::link(link.ifindex.get(), "").name;
            before.insert(Link { name, up: true, ..link.clone() });
        }
        before
    }
}
