//! Which devices are to carry which logical ports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Links, device_for, wanted_device};
use crate::config::Config;
use crate::nb::{Claims, Northbound};
use crate::tables::PortIds;
use crate::types::{Claim, Id, IfIndex, Incumbents, Problem};

/// The ports that are to be here with a device of their own: those that are bound to this chassis and are no
/// subports.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// What was found for each port by itself.
    found: BTreeMap<Id, Found>,
    /// The ports that want each device. The first of them has it until it no longer wants it, be it up or down.
    claims: Claims<IfIndex>,
    /// Who had contested devices in an earlier run, until somebody has them now.
    remembered: BTreeMap<IfIndex, Id>,
}

/// The device of a port by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// This one, with a problem that is no reason to let go of it.
    Link(IfIndex, Option<String>),
    /// This one, which is down.
    Down(IfIndex, String),
    /// None, for a reason.
    Nothing(String),
}

impl Found {
    const fn ifindex(&self) -> Option<IfIndex> {
        match self {
            Self::Link(ifindex, _) | Self::Down(ifindex, _) => Some(*ifindex),
            Self::Nothing(_) => None,
        }
    }
}

impl Desired {
    /// Takes the [incumbents](Self::incumbents) of an earlier run, before anything is looked for.
    pub(super) fn remember(&mut self, incumbents: &Incumbents) {
        let links = incumbents.iter().filter_map(|(claim, lport)| match claim {
            Claim::Link(ifindex) => Some((*ifindex, lport.clone())),
            Claim::PortKey(_)
            | Claim::NetworkKey(_)
            | Claim::Tag(..)
            | Claim::Subport(_)
            | Claim::Mac(..) => None,
        });
        self.remembered = links.collect();
    }

    /// Who has the devices that several ports want, and the ports that keep one of several devices.
    pub(super) fn incumbents(&self) -> Incumbents {
        let contested =
            self.claims.contested().map(|(ifindex, lport)| (Claim::Link(*ifindex), lport.clone()));
        let kept = self.found.iter().filter_map(|(lport, found)| match found {
            Found::Link(ifindex, Some(_)) => Some((Claim::Link(*ifindex), lport.clone())),
            Found::Link(_, None) | Found::Down(..) | Found::Nothing(_) => None,
        });
        kept.chain(contested).collect()
    }

    /// Looks for the devices of the touched ports. Returns whether anything is desired that was not, or no longer.
    pub(super) fn look_for(
        &mut self,
        touched: &PortIds,
        nb: &Northbound,
        links: &Links,
        config: &Config,
    ) -> bool {
        let holders: BTreeSet<_> = self.remembered.values().cloned().collect();
        let (first, then): (Vec<_>, Vec<_>) = touched.iter().partition(|lport| holders.contains(*lport));
        let mut changed = false;
        for lport in first.into_iter().chain(then) {
            changed |= self.set(lport, self.find(lport, nb, links, config));
        }
        self.remembered.retain(|ifindex, _| self.claims.holder(ifindex).is_none());
        changed
    }

    /// Looks for the devices of all ports that are bound here, for the links have changed.
    pub(super) fn look_for_all(&mut self, nb: &Northbound, links: &Links, config: &Config) {
        let bound: BTreeSet<_> = nb.lports_at(&config.chassis).map(|port| port.id.clone()).collect();
        self.look_for(&bound, nb, links, config);
    }

    fn set(&mut self, lport: &Id, found: Option<Found>) -> bool {
        let before = self.found.get(lport);
        if before == found.as_ref() {
            return false;
        }
        let (had, has) = (before.and_then(Found::ifindex), found.as_ref().and_then(Found::ifindex));
        if let Some(had) = had.filter(|_| had != has) {
            self.claims.remove_and_pass_on(&had, lport);
        }
        if let Some(has) = has {
            self.claims.insert(has, lport.clone());
        }
        match found {
            Some(found) => drop(self.found.insert(lport.clone(), found)),
            None => drop(self.found.remove(lport)),
        }
        true
    }

    /// The device of a port, or why there is none to use; `None` if it is not to have one here.
    fn find(&self, lport: &str, nb: &Northbound, links: &Links, config: &Config) -> Option<Found> {
        let port = nb.lports().get(lport)?;
        let bound_here = port.chassis.as_ref().is_some_and(|chassis| *chassis == config.chassis);
        if !bound_here || nb.segmentation_above(lport).is_some() {
            return None;
        }
        let (link, problem) = match device_for(links, lport, &config.attach) {
            Ok(link) => (link, None),
            // A second device that claims the port does not take it from the first.
            Err(problem) => {
                (links.with_alias(lport).find(|link| self.has(lport, link.ifindex)), Some(problem.reason))
            }
        };
        Some(match (link, problem) {
            (Some(link), _) if !link.up => Found::Down(link.ifindex, format!("link {} is down", link.name)),
            (Some(link), problem) => Found::Link(link.ifindex, problem),
            (None, Some(problem)) => Found::Nothing(problem),
            (None, None) => Found::Nothing(format!("no device: {}", wanted_device(lport, &config.attach))),
        })
    }

    /// Whether the port has this device, or had it in an earlier run.
    fn has(&self, lport: &str, ifindex: IfIndex) -> bool {
        match self.found.get(lport) {
            Some(found) => found.ifindex() == Some(ifindex),
            None => self.remembered.get(&ifindex).is_some_and(|holder| *holder == *lport),
        }
    }

    /// Whether a port wants the device, be it up or down.
    pub(super) fn is_claimed(&self, ifindex: IfIndex) -> bool {
        self.claims.holder(&ifindex).is_some()
    }

    /// The port that is to have the device.
    pub(super) fn owner_of(&self, ifindex: IfIndex) -> Option<&Id> {
        let holder = self.claims.holder(&ifindex)?;
        matches!(self.found.get(holder), Some(Found::Link(..))).then_some(holder)
    }

    /// The devices that are to be ours, and the port of each.
    pub(super) fn devices(&self) -> impl Iterator<Item = (IfIndex, &Id)> {
        self.claims.holders().filter_map(|(ifindex, _)| Some((*ifindex, self.owner_of(*ifindex)?)))
    }

    /// The device of a port, or why it has none; `None` if it is not to have one here.
    pub(super) fn device_of(&self, lport: &str, links: &Links) -> Option<Result<IfIndex, String>> {
        let ifindex = match self.found.get(lport)? {
            Found::Link(ifindex, _) => *ifindex,
            Found::Down(_, reason) | Found::Nothing(reason) => return Some(Err(reason.clone())),
        };
        Some(match self.claims.holder(&ifindex) {
            Some(owner) if *owner != *lport => {
                let name = links.get(ifindex).map_or("?", |link| &link.name);
                Err(format!("link {name} is lport {owner}'s already: a device is one port's"))
            }
            _ => Ok(ifindex),
        })
    }

    /// The ports that are to have a device here, and what [`Desired::device_of`] says of each.
    pub(super) fn ports(&self, links: &Links) -> impl Iterator<Item = (&str, Result<IfIndex, String>)> {
        self.found.keys().filter_map(|lport| Some((lport.as_str(), self.device_of(lport, links)?)))
    }

    /// What is wrong with the devices of ports.
    pub(super) fn problems(&self, links: &Links) -> Vec<Problem> {
        let about = |lport: &Id, reason: String| Problem::new(format!("lport {lport}"), reason);
        let of = |(lport, found): (&Id, &Found)| {
            let kept = match found {
                Found::Link(_, problem) => problem.clone(),
                Found::Down(..) | Found::Nothing(_) => None,
            };
            let none = self.device_of(lport, links).and_then(Result::err);
            kept.into_iter().chain(none).map(|reason| about(lport, reason)).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of).collect()
    }

    /// Whether the port is to have a device here.
    pub(super) fn wants(&self, lport: &str) -> bool {
        self.found.contains_key(lport)
    }
}
