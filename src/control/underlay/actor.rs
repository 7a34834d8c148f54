//! The thread of the underlay: requests routes, follows the kernel's announcements, and sends each result
//! that has changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::decision::{Lookup, View, decide};
use super::events::{Event, EventSocket};
use super::neighbours::{Keeper, Neighbours, NextHop, Resolution};
use super::no_path::{Asked, NoPath, Rejection};
use super::output_links::OutputLinks;
use super::path::Paths;
use super::requests::{Keep, RequestError, Requests};
use super::route::Route;
use super::schedule::{Schedule, Work};
use super::{LocalEndpoints, Resolved, UnderlayError};
use crate::kernel::open_path_mtu_sockets;
use crate::types::IfIndex;

/// Least time between two requests to resolve the same next hop. A failed one is resolved again at this pace;
/// the kernel itself tries every five seconds (`interval_probe_time_ms`).
const RESOLVE_PAUSE: Duration = Duration::from_secs(1);

/// Time after which the netlink sockets are opened again when that has failed.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// The tunnel endpoints whose paths are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Targets {
    pub local: LocalEndpoints,
    pub remote: BTreeSet<IpAddr>,
}

/// The kernel's state, and the sockets that it is read from.
struct Kernel {
    events: EventSocket,
    requests: Requests,
    links: OutputLinks,
    neighbours: Neighbours,
}

impl Kernel {
    async fn open() -> Result<Self, UnderlayError> {
        // Subscribed before the dumps, so that a change during one of them is announced.
        let events = EventSocket::open()?;
        let requests = Requests::open()?;
        let (links, neighbours) = (requests.links().await?, requests.neighbours().await?);
        Ok(Self { events, requests, links, neighbours })
    }

    const fn view(&self) -> View<'_> {
        View { links: &self.links, neighbours: &self.neighbours }
    }
}

/// A tunnel endpoint of another host.
#[derive(Debug, Default)]
struct Endpoint {
    /// `None` before the first answer, and while there is no source address.
    lookup: Option<Result<Lookup, RequestError>>,
    reported: Option<Result<Paths, NoPath>>,
}

impl Endpoint {
    fn lookup(&self) -> Option<&Lookup> {
        self.lookup.as_ref()?.as_ref().ok()
    }
}

pub(super) struct Actor {
    kernel: Kernel,
    targets: watch::Receiver<Targets>,
    results: mpsc::UnboundedSender<Resolved>,
    local: LocalEndpoints,
    /// The endpoints of this host that are addresses of no link.
    missing_sources: BTreeSet<IpAddr>,
    /// By which the kernel learns path MTUs, for each endpoint of this host; not read. `None` if they cannot
    /// be opened.
    path_mtu_sockets: BTreeMap<IpAddr, Option<[OwnedFd; 2]>>,
    endpoints: BTreeMap<IpAddr, Endpoint>,
    schedule: Schedule,
    keep: Keep,
    /// When each next hop was last requested to be resolved.
    resolved_at: BTreeMap<NextHop, Instant>,
    /// Whether an entry of the kernel may be kept without need.
    has_surplus: bool,
}

impl Actor {
    pub(super) async fn open(
        targets: watch::Receiver<Targets>,
        results: mpsc::UnboundedSender<Resolved>,
    ) -> Result<Self, UnderlayError> {
        Ok(Self {
            kernel: Kernel::open().await?,
            targets,
            results,
            local: LocalEndpoints::default(),
            missing_sources: BTreeSet::new(),
            path_mtu_sockets: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            schedule: Schedule::new(Instant::now()),
            keep: Keep::Managed,
            resolved_at: BTreeMap::new(),
            has_surplus: false,
        })
    }

    /// Runs until the sender of the targets is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let due = self.schedule.due(&self.endpoints);
            let far = || Instant::now() + Duration::from_hours(1);
            tokio::select! {
                changed = self.targets.changed() => match changed {
                    Ok(()) => self.apply_targets().await,
                    Err(_) => break,
                },
                events = self.kernel.events.next() => self.apply_events(events).await,
                () = sleep_until(due.unwrap_or_else(far)) => {}
            }
            if let Some(work) = self.schedule.take(Instant::now(), &self.endpoints) {
                self.perform(work).await;
                self.schedule.finish(Instant::now());
            }
            if self.has_surplus && self.schedule.is_settled() {
                self.has_surplus = false;
                self.release_surplus().await;
            }
        }
        self.endpoints.clear();
        self.release_surplus().await;
    }

    async fn apply_targets(&mut self) {
        let Targets { local, remote } = self.targets.borrow_and_update().clone();
        self.endpoints.retain(|known, _| remote.contains(known));
        let is_moved = self.local != local;
        self.local = local;
        self.path_mtu_sockets.retain(|source, _| local.of_family(*source) == Some(*source));
        for remote in remote {
            if is_moved || !self.endpoints.contains_key(&remote) {
                self.endpoints.entry(remote).or_default();
                self.schedule.add(remote);
            }
        }
        if is_moved {
            self.check_sources().await;
        }
        self.has_surplus = true;
    }

    async fn perform(&mut self, work: Work) {
        match work {
            Work::Round => self.check_sources().await,
            Work::Resolve(remotes) => {
                for remote in remotes {
                    self.resolve(remote).await;
                }
            }
            Work::Examine(remotes) => {
                for remote in remotes {
                    self.examine(remote).await;
                }
            }
        }
    }

    async fn check_sources(&mut self) {
        for source in self.local.addresses() {
            match self.kernel.requests.is_local(source).await {
                Ok(true) => {
                    self.missing_sources.remove(&source);
                    self.learn_path_mtus(source);
                }
                Ok(false) => {
                    self.missing_sources.insert(source);
                    self.path_mtu_sockets.remove(&source);
                }
                // The state stays, and the request is repeated with all others.
                Err(_) => self.schedule.request_round(Instant::now()),
            }
        }
    }

    fn learn_path_mtus(&mut self, source: IpAddr) {
        let Entry::Vacant(entry) = self.path_mtu_sockets.entry(source) else { return };
        let sockets = open_path_mtu_sockets(source);
        if let Err(error) = &sockets {
            tracing::warn!("the path MTU of tunnels from {source} is not learned: {error}");
        }
        entry.insert(sockets.ok());
    }

    /// The request for the route to `remote`.
    fn asked(&self, remote: IpAddr) -> Result<Asked, NoPath> {
        if remote.is_multicast() || remote.is_unspecified() {
            return Err(NoPath::NotUnicast { remote });
        }
        let source = self.local.of_family(remote).ok_or(NoPath::OtherFamily { remote })?;
        if self.missing_sources.contains(&source) {
            return Err(NoPath::SourceMissing { source_address: source });
        }
        Ok(Asked { remote, source })
    }

    /// Requests the route to `remote`, and decides.
    async fn resolve(&mut self, remote: IpAddr) {
        let mut lookup = match self.asked(remote) {
            Ok(asked) => Some(self.kernel.requests.lookup(asked).await),
            Err(_) => None,
        };
        if matches!(&lookup, Some(Ok(Lookup { matched: Route::Rejected(Rejection::Blackhole), .. }))) {
            // The same error as that of a source address which has just been removed.
            self.check_sources().await;
            lookup = lookup.filter(|_| self.asked(remote).is_ok());
        }
        if lookup == Some(Err(RequestError::Closed)) {
            return self.reopen().await;
        }
        let Some(endpoint) = self.endpoints.get_mut(&remote) else { return };
        self.has_surplus |= endpoint.lookup != lookup;
        endpoint.lookup = lookup;
        self.decide(remote).await;
    }

    /// Repeats a request whose outcome may have changed without an announcement.
    async fn examine(&mut self, remote: IpAddr) {
        let lookup = self.endpoints.get(&remote).and_then(Endpoint::lookup);
        match (self.asked(remote), lookup) {
            (Ok(asked), Some(Lookup { matched: Route::Forward(_), exact })) => {
                let exact = exact.clone();
                if self.kernel.requests.exact(asked).await != Ok(exact) {
                    self.schedule.add(remote);
                }
                self.resolve_next_hops(remote).await;
            }
            (Ok(_) | Err(_), _) => self.schedule.add(remote),
        }
    }

    /// Decides on the paths to `remote` from what is known, and sends the result if it has changed.
    async fn decide(&mut self, remote: IpAddr) {
        let asked = self.asked(remote);
        let Some(endpoint) = self.endpoints.get_mut(&remote) else { return };
        let paths = match (asked, &endpoint.lookup) {
            (Err(no_path), _) => Err(no_path),
            (Ok(_), None) => return,
            (Ok(asked), Some(Err(error))) => Err(NoPath::Request { asked, error: error.clone() }),
            (Ok(asked), Some(Ok(lookup))) => decide(asked, lookup, self.kernel.view()),
        };
        if endpoint.reported.as_ref() != Some(&paths) {
            endpoint.reported = Some(paths.clone());
            // Without a receiver the targets are closed too, which ends the loop.
            drop(self.results.send(Resolved { remote, paths }));
        }
        self.resolve_next_hops(remote).await;
    }

    /// Requests the MAC addresses of the next hops to `remote`, and that the kernel keeps them.
    async fn resolve_next_hops(&mut self, remote: IpAddr) {
        let Some(lookup) = self.endpoints.get(&remote).and_then(Endpoint::lookup) else { return };
        let next_hops: Vec<_> = lookup.next_hops(remote).collect();
        for next_hop in next_hops {
            let now = Instant::now();
            let is_early = self.resolved_at.get(&next_hop).is_some_and(|last| now - *last < RESOLVE_PAUSE);
            if !is_early && self.is_resolution_needed(next_hop) {
                self.resolved_at.insert(next_hop, now);
                self.keep(next_hop).await;
            }
        }
    }

    fn is_resolution_needed(&self, next_hop: NextHop) -> bool {
        let resolution = self.kernel.neighbours.resolution(next_hop);
        self.kernel.view().can_resolve(next_hop)
            && match self.kernel.neighbours.keeper(next_hop) {
                Keeper::Nobody => self.keep == Keep::Managed || !matches!(resolution, Resolution::Usable(_)),
                Keeper::ThisProgram => resolution == Resolution::Failed,
                Keeper::Operator | Keeper::OtherProgram => false,
            }
    }

    async fn keep(&mut self, next_hop: NextHop) {
        let mut outcome = self.kernel.requests.keep(next_hop, self.keep).await;
        let refused = [Errno::INVAL, Errno::OPNOTSUPP].map(|errno| Err(RequestError::Rejected(errno)));
        if self.keep == Keep::Managed && refused.contains(&outcome) {
            self.keep = Keep::Once;
            outcome = self.kernel.requests.keep(next_hop, self.keep).await;
        }
        if let Err(error) = outcome {
            let NextHop { link, address } = next_hop;
            tracing::debug!("cannot request the MAC address of {address} on link {link}: {error}");
        }
    }

    /// The kernel's entries of next hops without a tunnel age again.
    async fn release_surplus(&mut self) {
        let needed: BTreeSet<_> = self
            .endpoints
            .iter()
            .filter_map(|(remote, endpoint)| Some(endpoint.lookup()?.next_hops(*remote)))
            .flatten()
            .collect();
        self.resolved_at.retain(|next_hop, _| needed.contains(next_hop));
        let surplus: Vec<_> =
            self.kernel.neighbours.kept().filter(|next_hop| !needed.contains(next_hop)).collect();
        for next_hop in surplus {
            // Rejected if the entry or its link was removed meanwhile.
            drop(self.kernel.requests.keep(next_hop, Keep::Once).await);
        }
    }

    async fn apply_events(&mut self, events: io::Result<Vec<Event>>) {
        let Ok(events) = events else { return self.reopen().await };
        let (mut links, mut next_hops) = (BTreeSet::new(), BTreeSet::new());
        for event in events {
            let Kernel { links: known_links, neighbours, .. } = &mut self.kernel;
            match event {
                Event::Link(ifindex, link) => {
                    links.extend(known_links.insert(ifindex, link).then_some(ifindex));
                }
                Event::LinkGone(ifindex) => links.extend(known_links.remove(ifindex).then_some(ifindex)),
                Event::Neighbour(next_hop, neighbour) => {
                    next_hops.extend(neighbours.insert(next_hop, neighbour).then_some(next_hop));
                }
                Event::NeighbourGone(next_hop) => {
                    // Also of an entry that was not resolved: it is requested again.
                    neighbours.remove(next_hop);
                    next_hops.insert(next_hop);
                }
                Event::Routes => self.schedule.request_round(Instant::now()),
            }
        }
        self.decide_on(&links, &next_hops).await;
    }

    /// Decides on the endpoints whose routes use one of these links or next hops.
    async fn decide_on(&mut self, links: &BTreeSet<IfIndex>, next_hops: &BTreeSet<NextHop>) {
        if !links.is_empty() {
            self.schedule.request_round(Instant::now());
            self.resolved_at.retain(|next_hop, _| !links.contains(&next_hop.link));
        }
        let is_concerned = |(remote, endpoint): (&IpAddr, &Endpoint)| {
            let lookup = endpoint.lookup()?;
            let mut used = lookup.next_hops(*remote);
            used.any(|used| links.contains(&used.link) || next_hops.contains(&used)).then_some(*remote)
        };
        let concerned: Vec<_> = self.endpoints.iter().filter_map(is_concerned).collect();
        for remote in concerned {
            self.decide(remote).await;
        }
    }

    /// Reads everything again, after a loss of announcements or an error of a socket.
    async fn reopen(&mut self) {
        tracing::warn!("announcements of routes or neighbours were lost: all are read again");
        // The results so far stay in force meanwhile.
        while self.targets.has_changed().is_ok() {
            match Kernel::open().await {
                Ok(kernel) => {
                    self.kernel = kernel;
                    break;
                }
                Err(error) => {
                    tracing::warn!("{error}; the next attempt is in {REOPEN_PAUSE:?}");
                    sleep(REOPEN_PAUSE).await;
                }
            }
        }
        self.resolved_at.clear();
        self.has_surplus = true;
        self.schedule.request_round(Instant::now());
    }
}
