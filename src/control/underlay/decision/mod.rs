//! The decision on the paths to a tunnel endpoint, from the kernel's answers alone.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::neighbours::{Neighbours, NextHop, Resolution};
use super::no_path::{Asked, NoPath};
use super::output_links::{OutputLink, OutputLinks};
use super::path::{BUCKETS, Path, Paths};
use super::route::{Forward, Hop, Route};
use crate::types::MacAddr;

/// The kernel's answers about one tunnel endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The matching entry of the routing tables, with all its next hops (`RTM_F_FIB_MATCH`).
    pub matched: Route,
    /// The route that one packet takes, with the path MTU and the gateway that the kernel has learned by
    /// ICMP. Equal to `matched` if that does not forward.
    pub exact: Route,
}

/// The state of links and neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub links: &'a OutputLinks,
    pub neighbours: &'a Neighbours,
}

impl Lookup {
    /// The next hops of the route. If there is one, that of `exact`, which follows an ICMP redirect.
    fn hops(&self) -> Vec<Hop> {
        let hops_of = |route: &Route| match route {
            Route::Forward(Forward { hops, .. }) => hops.clone(),
            Route::Local | Route::NotUnicast | Route::Missing | Route::Rejected(_) => Vec::new(),
        };
        let matched = hops_of(&self.matched);
        let [only] = matched[..] else {
            return if matched.is_empty() { hops_of(&self.exact) } else { matched };
        };
        let exact = hops_of(&self.exact).into_iter().find(|hop| hop.link == only.link);
        vec![exact.map_or(only, |hop| Hop { is_dead: only.is_dead, ..hop })]
    }

    /// The limit of the route. A path MTU limits all next hops: the kernel does not record by which of them
    /// the packet went.
    fn mtu_bytes(&self) -> Option<NonZeroU32> {
        let mtu_of = |route: &Route| match route {
            Route::Forward(Forward { mtu_bytes, .. }) => *mtu_bytes,
            Route::Local | Route::NotUnicast | Route::Missing | Route::Rejected(_) => None,
        };
        mtu_of(&self.matched).into_iter().chain(mtu_of(&self.exact)).min()
    }

    /// The next hops to `remote`, of which the MAC addresses are needed.
    pub(super) fn next_hops(&self, remote: IpAddr) -> impl Iterator<Item = NextHop> {
        self.hops().into_iter().map(move |hop| next_hop(remote, hop))
    }
}

impl View<'_> {
    /// Whether frames to `next_hop` could leave by its link, so that its MAC address can be resolved.
    pub(super) fn can_resolve(&self, next_hop: NextHop) -> bool {
        let can_send = |link: &OutputLink| link.up && link.carrier && link.mac.is_some();
        self.links.get(next_hop.link).is_some_and(can_send) && self.links.lower_of(next_hop.link).is_none()
    }
}

fn next_hop(remote: IpAddr, hop: Hop) -> NextHop {
    NextHop { link: hop.link, address: hop.via.unwrap_or(remote) }
}

/// The paths to `asked.remote`.
///
/// # Errors
/// The reason for which there is none; that of the first next hop, if there are several.
pub(super) fn decide(asked: Asked, lookup: &Lookup, view: View<'_>) -> Result<Paths, NoPath> {
    match lookup.matched {
        Route::Forward(_) => {}
        Route::Local => return Err(NoPath::LocalAddress { remote: asked.remote }),
        Route::NotUnicast => return Err(NoPath::NotUnicast { remote: asked.remote }),
        Route::Missing => return Err(NoPath::NoRoute { asked }),
        Route::Rejected(rejection) => return Err(NoPath::Rejected { asked, rejection }),
    }
    let hops = lookup.hops();
    let (mut usable, mut paths, mut first_reason) = (Vec::new(), Vec::new(), None);
    for (number, hop) in hops.iter().enumerate() {
        match path(asked, *hop, lookup.mtu_bytes(), view) {
            Ok(path) => {
                usable.push(number);
                paths.push(path);
            }
            Err(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    let shares = shares(&hops);
    // A bucket keeps its path when another next hop fails.
    let choice = |bucket: usize| {
        let wanted = usable.iter().position(|number| *number == shares[bucket]);
        wanted.unwrap_or(bucket % usable.len().max(1))
    };
    Paths::new(paths, choice).ok_or_else(|| first_reason.unwrap_or(NoPath::NoRoute { asked }))
}

/// The number of the next hop that each bucket would take if all were usable, in proportion to the weights.
fn shares(hops: &[Hop]) -> [usize; BUCKETS] {
    let total: usize = hops.iter().map(|hop| usize::from(hop.weight)).sum();
    std::array::from_fn(|bucket| {
        let mut rest = (2 * bucket + 1) * total / (2 * BUCKETS);
        hops.iter()
            .position(|hop| {
                let weight = usize::from(hop.weight);
                rest < weight || {
                    rest -= weight;
                    false
                }
            })
            .unwrap_or_default()
    })
}

/// The path by one next hop.
fn path(asked: Asked, hop: Hop, mtu: Option<NonZeroU32>, view: View<'_>) -> Result<Path, NoPath> {
    let link = view.links.get(hop.link).ok_or(NoPath::NoLink { asked, link: hop.link })?;
    let source_mac = check_link(asked, hop, link, view.links)?;
    let next_hop = next_hop(asked.remote, hop);
    let destination_mac = match view.neighbours.resolution(next_hop) {
        Resolution::Usable(mac) => mac,
        Resolution::Pending => {
            return Err(NoPath::Resolving { asked, via: next_hop.address, link: link.name.clone() });
        }
        Resolution::Failed => {
            return Err(NoPath::NoNeighbour { asked, via: next_hop.address, link: link.name.clone() });
        }
    };
    Ok(Path {
        link: hop.link,
        source: asked.source,
        next_hop: next_hop.address,
        source_mac,
        destination_mac,
        mtu_bytes: mtu.map_or(link.mtu_bytes, |mtu| mtu.get().min(link.mtu_bytes)),
    })
}

/// Returns the MAC address of a link that frames can leave by.
fn check_link(asked: Asked, hop: Hop, link: &OutputLink, links: &OutputLinks) -> Result<MacAddr, NoPath> {
    let name = || link.name.clone();
    let mac = link.mac.ok_or_else(|| NoPath::NotEthernet { asked, link: name() })?;
    if let Some(lower) = links.lower_of(hop.link) {
        return Err(NoPath::Stacked { asked, link: name(), lower });
    }
    if !link.up {
        return Err(NoPath::Down { asked, link: name() });
    }
    // The kernel marks the next hop a moment before, or after, it announces the link.
    if !link.carrier || hop.is_dead {
        return Err(NoPath::NoCarrier { asked, link: name() });
    }
    Ok(mac)
}

#[cfg(test)]
mod tests;
