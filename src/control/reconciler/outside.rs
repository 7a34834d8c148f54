//! Links to other hosts, and the paths by them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::state::Reconciler;
use crate::control::backend::LinkBackend;
use crate::control::desired::Uplink;
use crate::control::links::Link;
use crate::tables::{Host, UnderlayPaths};
use crate::types::{IfIndex, Problem};

impl<B: LinkBackend> Reconciler<B> {
    /// The host as the configuration describes it.
    pub(super) fn host(&self) -> Host {
        let uplinks = self.config.uplinks.iter();
        Host {
            chassis: self.config.chassis.as_str().into(),
            endpoint: self.config.local_ip,
            uplinks: uplinks.map(|(physical, link)| (physical.clone(), link.as_str().into())).collect(),
            forbids_fragments: self.config.tunnel_df,
        }
    }

    /// The links that should be uplinks: those that a physical network is mapped to, and those that tunnels
    /// leave by. A route takes no link from a port: without the port the tunnel might not be needed, and
    /// without the tunnel the port would have its link again, and so on.
    pub(in crate::control) fn uplinks(&self) -> BTreeMap<IfIndex, Uplink> {
        let mapped = self.config.uplinks.values().filter_map(|name| self.links.named(name));
        let routed = self.routed_links().filter(|link| self.desired.port_at(link.ifindex).is_none());
        let uplink = |link: &Link| Uplink { name: link.name.as_str().into(), is_up: link.up };
        mapped.chain(routed).map(|link| (link.ifindex, uplink(link))).collect()
    }

    /// The links that tunnels would leave by, some more than once.
    fn routed_links(&self) -> impl Iterator<Item = &Link> {
        self.tunnel_links.values().flatten().filter_map(|ifindex| self.links.get(*ifindex))
    }

    /// Applies the result of a search for the paths to an endpoint; `None` for one that is no longer used.
    pub fn apply_paths(&mut self, address: IpAddr, paths: Option<UnderlayPaths>) {
        let links: BTreeSet<_> = match &paths {
            Some(Ok(paths)) => paths.iter().map(|path| path.ifindex).collect(),
            Some(Err(_)) | None => BTreeSet::new(),
        };
        if links.is_empty() {
            self.tunnel_links.remove(&address);
        } else {
            self.tunnel_links.insert(address, links);
        }
        self.compiler.set_paths(address, paths);
    }

    /// The endpoints of the hosts with ports of networks here, if they may have changed since the last call.
    pub fn take_endpoints_in_use(&mut self) -> Option<BTreeSet<IpAddr>> {
        self.compiler.take_endpoints_in_use()
    }

    /// The number of endpoints that are reached by a link.
    pub(in crate::control) fn endpoints_by(&self, ifindex: IfIndex) -> usize {
        self.tunnel_links.values().filter(|links| links.contains(&ifindex)).count()
    }

    /// Lets each uplink receive the frames of its provider networks.
    pub(super) fn steer(&mut self) {
        let endpoint = self.compiler.endpoint();
        for (slot, steering) in self.compiler.take_steering().into_iter().flatten() {
            if let Some(port) = self.ports.at_slot_mut(slot) {
                self.backend.steer(&mut port.handle, endpoint, &steering);
            }
        }
    }

    /// Physical networks whose link does not exist or is down, and routes by links of ports.
    pub(super) fn uplink_problems(&self) -> impl Iterator<Item = Problem> {
        let mapped = self.config.uplinks.iter().filter_map(|(physical, name)| {
            let reason = match self.links.named(name) {
                None => format!("no link is called {name} (--uplink {physical}={name})"),
                Some(link) if !(link.up && link.carrier) => format!("its link {name} is down"),
                Some(_) => return None,
            };
            Some(Problem::new(format!("physical network {physical}"), reason))
        });
        let routes = self.tunnel_links.iter();
        let routes = routes.flat_map(|(endpoint, links)| links.iter().map(move |link| (*endpoint, *link)));
        mapped.chain(routes.filter_map(|(endpoint, ifindex)| self.route_problem(endpoint, ifindex)))
    }

    fn route_problem(&self, endpoint: IpAddr, ifindex: IfIndex) -> Option<Problem> {
        let (link, port) = (self.links.get(ifindex)?, self.desired.port_at(ifindex)?);
        let is_mapped = self.config.uplinks.values().any(|name| *name == link.name);
        let name = &link.name;
        let reason = format!("its route is by {name}, the link of port {port}: expected one by another link");
        (!is_mapped).then(|| Problem::new(format!("endpoint {endpoint}"), reason))
    }
}
