//! A simulated underlay: a reconciler gets the paths to the hosts that it uses, without a kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use trunkpath::control::Reconciler;
use trunkpath::packet::tunnel::Endpoints;
use trunkpath::tables::{UnderlayPath, UnderlayPaths};
use trunkpath::types::{IfIndex, MacAddr};

use crate::simulated::Simulated;

/// The results of all searches, and the endpoints that a reconciler uses.
#[derive(Debug, Default)]
pub struct SimulatedUnderlay {
    /// By endpoint; the search for one without an entry has not ended.
    pub results: BTreeMap<IpAddr, UnderlayPaths>,
    in_use: BTreeSet<IpAddr>,
}

impl SimulatedUnderlay {
    /// An underlay with these results, for a reconciler without records.
    pub const fn new(results: BTreeMap<IpAddr, UnderlayPaths>) -> Self {
        Self { results, in_use: BTreeSet::new() }
    }

    /// The endpoints whose paths the reconciler has, or waits for.
    pub const fn in_use(&self) -> &BTreeSet<IpAddr> {
        &self.in_use
    }

    /// Replaces the result for an endpoint, which is applied if the endpoint is in use.
    pub fn set(&mut self, address: IpAddr, paths: UnderlayPaths, reconciler: &mut Reconciler<Simulated>) {
        if self.in_use.contains(&address) {
            reconciler.apply_paths(address, Some(paths.clone()));
        }
        self.results.insert(address, paths);
    }

    /// Reconciles as the daemon does: the paths of endpoints that are no longer used are removed, and those
    /// of new ones follow.
    pub async fn reconcile(&mut self, reconciler: &mut Reconciler<Simulated>) {
        reconciler.reconcile().await.unwrap();
        while let Some(in_use) = reconciler.take_endpoints_in_use() {
            for gone in self.in_use.difference(&in_use) {
                reconciler.apply_paths(*gone, None);
            }
            for new in in_use.difference(&self.in_use) {
                if let Some(paths) = self.results.get(new) {
                    reconciler.apply_paths(*new, Some(paths.clone()));
                }
            }
            self.in_use = in_use;
            reconciler.reconcile().await.unwrap();
        }
    }
}

/// A path by a link, with a next hop of its own for each.
pub fn path(ifindex: u32, source: IpAddr, destination: IpAddr) -> UnderlayPath {
    let endpoints = Endpoints {
        source,
        destination,
        source_mac: MacAddr::new([2, 0, 0, 0, 1, ifindex as u8]),
        destination_mac: MacAddr::new([2, 0, 0, 0, 2, ifindex as u8]),
    };
    UnderlayPath { ifindex: IfIndex::new(ifindex).unwrap(), endpoints, mtu: 1500 }
}
