//! The paths to other hosts: searched for those with ports of networks here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::underlay::{BUCKETS, LocalEndpoints, NoPath, Path, Paths, Resolved, Underlay, UnderlayError};
use crate::packet::tunnel::Endpoints;
use crate::tables::{UnderlayPath, UnderlayPaths};
use crate::types::drop_reason::Tunnel as TunnelDrop;

/// The time after which a next hop that is still being resolved is a problem.
const RESOLUTION_TIME: Duration = Duration::from_secs(3);

/// The endpoints of other hosts that are in use, and the paths to them.
#[derive(Debug)]
pub(super) struct Tunnels {
    underlay: Underlay,
    wanted: BTreeSet<IpAddr>,
    found: BTreeMap<IpAddr, Found>,
}

/// The result of the last search for the paths to an endpoint.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) paths: Result<Paths, NoPath>,
    pub(super) since: Instant,
}

impl Tunnels {
    /// # Errors
    /// As [`Underlay::open`].
    pub(super) async fn open() -> Result<Self, UnderlayError> {
        Ok(Self { underlay: Underlay::open().await?, wanted: BTreeSet::new(), found: BTreeMap::new() })
    }

    /// Replaces the endpoints in use. Returns those that are no longer.
    pub(super) fn set_wanted(&mut self, own: Option<IpAddr>, wanted: BTreeSet<IpAddr>) -> Vec<IpAddr> {
        let local = own.map(LocalEndpoints::from).unwrap_or_default();
        self.underlay.set_endpoints(local, wanted.clone());
        let gone: Vec<_> = self.wanted.difference(&wanted).copied().collect();
        self.wanted = wanted;
        for address in &gone {
            self.found.remove(address);
        }
        gone
    }

    /// Waits for the next result that differs from the one before. Cancel-safe.
    ///
    /// # Errors
    /// The thread that searches has died.
    pub(super) async fn next(&mut self) -> Result<Resolved, UnderlayError> {
        self.underlay.next().await
    }

    /// Keeps a result. Returns it for the tables, unless its endpoint is no longer in use.
    pub(super) fn insert(&mut self, resolved: Resolved) -> Option<(IpAddr, UnderlayPaths)> {
        let Resolved { remote, paths } = resolved;
        if !self.wanted.contains(&remote) {
            return None;
        }
        let compiled = paths.as_ref().map(|paths| by_bucket(remote, paths)).map_err(drop_reason);
        self.found.insert(remote, Found { paths, since: Instant::now() });
        Some((remote, compiled))
    }

    /// The paths to an endpoint; `None` before the first result.
    pub(super) fn found(&self, address: IpAddr) -> Option<&Found> {
        self.found.get(&address)
    }

    /// Why an endpoint is not reached, if an operator has to act.
    pub(super) fn problem(&self, address: IpAddr) -> Option<String> {
        let found = self.found.get(&address)?;
        let reason = found.paths.as_ref().err()?;
        let is_new = matches!(reason, NoPath::Resolving { .. }) && found.since.elapsed() < RESOLUTION_TIME;
        (!is_new).then(|| reason.to_string())
    }

    /// Ends the search; the kernel's entries of next hops age again.
    pub(super) async fn close(self) {
        self.underlay.close().await;
    }
}

/// The path of each bucket of source ports; one, if all buckets have the same.
fn by_bucket(remote: IpAddr, paths: &Paths) -> Vec<UnderlayPath> {
    match paths.distinct() {
        [only] => vec![underlay_path(remote, only)],
        _ => (0..BUCKETS).map(|bucket| underlay_path(remote, paths.of_bucket(bucket))).collect(),
    }
}

fn underlay_path(remote: IpAddr, path: &Path) -> UnderlayPath {
    UnderlayPath {
        ifindex: path.link,
        endpoints: Endpoints {
            source: path.source,
            destination: remote,
            source_mac: path.source_mac,
            destination_mac: path.destination_mac,
        },
        mtu: path.mtu_bytes as usize,
    }
}

/// The reason with which frames to the endpoint are dropped.
const fn drop_reason(reason: &NoPath) -> TunnelDrop {
    match reason {
        NoPath::Resolving { .. } | NoPath::NoNeighbour { .. } => TunnelDrop::NoNeighbour,
        NoPath::OtherFamily { .. }
        | NoPath::SourceMissing { .. }
        | NoPath::LocalAddress { .. }
        | NoPath::NotUnicast { .. } => TunnelDrop::BadEndpoint,
        NoPath::NoRoute { .. }
        | NoPath::Rejected { .. }
        | NoPath::NoLink { .. }
        | NoPath::Down { .. }
        | NoPath::NoCarrier { .. }
        | NoPath::NotEthernet { .. }
        | NoPath::Stacked { .. }
        | NoPath::Request { .. } => TunnelDrop::NoRoute,
    }
}
