//! Which devices are to carry which logical ports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Links, device_for, wanted_device};
use crate::config::Config;
use crate::nb::Northbound;
use crate::tables::{Touched, parent_of};
use crate::types::{Id, IfIndex};

/// The ports that are to be here with a device of their own: those that are bound to this chassis and are no
/// subports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// What was found for each port by itself: its device, or why there is none to use.
    found: BTreeMap<Id, Result<IfIndex, String>>,
    /// The ports that want each device. The one with the lowest id has it.
    claims: BTreeMap<IfIndex, BTreeSet<Id>>,
}

impl Desired {
    /// Looks for the devices of the touched ports. Returns whether anything is desired that was not, or no longer.
    pub(super) fn look_for(
        &mut self,
        touched: &Touched,
        nb: &Northbound,
        links: &Links,
        config: &Config,
    ) -> bool {
        let mut changed = false;
        for lport in touched {
            changed |= self.set(lport, find(lport, nb, links, config));
        }
        changed
    }

    /// Looks for the devices of all ports that are bound here, for the links have changed.
    pub(super) fn look_for_all(&mut self, nb: &Northbound, links: &Links, config: &Config) {
        let bound: BTreeSet<_> = nb.lports_at(&config.chassis).map(|port| port.id.clone()).collect();
        self.look_for(&bound, nb, links, config);
    }

    fn set(&mut self, lport: &Id, found: Option<Result<IfIndex, String>>) -> bool {
        if self.found.get(lport) == found.as_ref() {
            return false;
        }
        if let Some(Ok(ifindex)) = self.found.remove(lport)
            && let Some(claims) = self.claims.get_mut(&ifindex)
        {
            claims.remove(lport);
            if claims.is_empty() {
                self.claims.remove(&ifindex);
            }
        }
        if let Some(found) = found {
            if let Ok(ifindex) = &found {
                self.claims.entry(*ifindex).or_default().insert(lport.clone());
            }
            self.found.insert(lport.clone(), found);
        }
        true
    }

    /// The port that is to have the device.
    pub(super) fn owner_of(&self, ifindex: IfIndex) -> Option<&Id> {
        self.claims.get(&ifindex)?.first()
    }

    /// The devices that are to be ours, and the port of each.
    pub(super) fn devices(&self) -> impl Iterator<Item = (IfIndex, &Id)> {
        self.claims.iter().filter_map(|(ifindex, claims)| Some((*ifindex, claims.first()?)))
    }

    /// The device of a port, or why it has none; `None` if it is not to have one here.
    pub(super) fn device_of(&self, lport: &str, links: &Links) -> Option<Result<IfIndex, String>> {
        let found = self.found.get(lport)?.clone();
        Some(found.and_then(|ifindex| match self.owner_of(ifindex) {
            Some(owner) if owner != lport => {
                let name = links.get(ifindex).map_or("?", |link| &link.name);
                Err(format!("link {name} is lport {owner}'s already: a device is one port's"))
            }
            _ => Ok(ifindex),
        }))
    }

    /// The ports that are to have a device here, and what [`Desired::device_of`] says of each.
    pub(super) fn ports(&self, links: &Links) -> impl Iterator<Item = (&str, Result<IfIndex, String>)> {
        self.found.keys().filter_map(|lport| Some((lport.as_str(), self.device_of(lport, links)?)))
    }

    /// Whether the port is to have a device here.
    pub(super) fn has(&self, lport: &str) -> bool {
        self.found.contains_key(lport)
    }
}

/// The device of a port, or why there is none to use; `None` if it is not to have one here.
fn find(lport: &str, nb: &Northbound, links: &Links, config: &Config) -> Option<Result<IfIndex, String>> {
    let port = nb.lports().get(lport)?;
    let bound_here = port.chassis.as_ref().is_some_and(|chassis| *chassis == config.chassis);
    if !bound_here || parent_of(nb, lport).is_some() {
        return None;
    }
    Some(match device_for(links, lport, &config.attach) {
        Ok(Some(link)) if !link.up => Err(format!("link {} is down", link.name)),
        Ok(Some(link)) => Ok(link.ifindex),
        Ok(None) => Err(format!("no device: {}", wanted_device(lport, &config.attach))),
        Err(problem) => Err(problem.reason),
    })
}
