//! The links that the records require, each for one port. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Attachments, LinkConflict, Links, describe_missing, find_link};
use crate::nb::{Claims, Northbound};
use crate::types::{Claim, Id, IfIndex, Incumbents, Problem};

/// The ports that should have a link of their own here: those that are bound to this chassis and are no subports.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// The search result of each port, without regard to other ports.
    found: BTreeMap<Id, Found>,
    /// The ports whose search found each link. The first of them has it until its search finds another, also while the
    /// link is down.
    claims: Claims<IfIndex>,
    /// The holders of contested links in an earlier run, until a port claims the link.
    remembered: BTreeMap<IfIndex, Id>,
}

/// The result of the search for a port's link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// A link that is up. With a conflict it is the link that the port had before.
    Up(IfIndex, Option<LinkConflict>),
    /// A link that is down, and its name.
    Down(IfIndex, String),
    Nothing(NoLink),
}

impl Found {
    const fn ifindex(&self) -> Option<IfIndex> {
        match self {
            Self::Up(ifindex, _) | Self::Down(ifindex, _) => Some(*ifindex),
            Self::Nothing(_) => None,
        }
    }
}

/// Why a port that should have a link here has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLink {
    #[error("link {0} is down")]
    Down(String),
    /// The text describes the links that were searched for.
    #[error("no device: {0}")]
    Missing(String),
    #[error(transparent)]
    Conflict(#[from] LinkConflict),
    #[error("link {link} is lport {owner}'s already: a device is one port's")]
    Taken { link: String, owner: Id },
}

/// The effect of a search: whatever depends on one of these has to be examined.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Ports with another search result.
    pub(super) lports: Vec<Id>,
    /// The links that they had and have.
    pub(super) links: BTreeSet<IfIndex>,
}

impl Desired {
    /// Sets the [incumbents](Self::incumbents) of an earlier run, before the first search.
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

    /// The holders of links that several ports claim, and the ports that keep one of several links.
    pub(super) fn incumbents(&self) -> Incumbents {
        let contested =
            self.claims.contested().map(|(ifindex, lport)| (Claim::Link(*ifindex), lport.clone()));
        let kept = self.found.iter().filter_map(|(lport, found)| match found {
            Found::Up(ifindex, Some(_)) => Some((Claim::Link(*ifindex), lport.clone())),
            Found::Up(_, None) | Found::Down(..) | Found::Nothing(_) => None,
        });
        kept.chain(contested).collect()
    }

    /// Searches the links of `lports`.
    pub(super) fn search<'a>(
        &mut self,
        lports: impl Iterator<Item = &'a Id>,
        chassis: &str,
        nb: &Northbound,
        links: &Links,
        attachments: &Attachments,
    ) -> Moved {
        let holders: BTreeSet<_> = self.remembered.values().cloned().collect();
        let (first, then): (Vec<_>, Vec<_>) = lports.partition(|lport| holders.contains(*lport));
        let mut moved = Moved::default();
        for lport in first.into_iter().chain(then) {
            let found = self.find(lport, chassis, nb, links, attachments);
            self.set(lport, found, &mut moved);
        }
        self.remembered.retain(|ifindex, _| self.claims.holder(ifindex).is_none());
        moved
    }

    fn set(&mut self, lport: &Id, found: Option<Found>, moved: &mut Moved) {
        let before = self.found.get(lport);
        if before == found.as_ref() {
            return;
        }
        let (had, has) = (before.and_then(Found::ifindex), found.as_ref().and_then(Found::ifindex));
        moved.lports.push(lport.clone());
        moved.links.extend(had.into_iter().chain(has));
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
    }

    /// The search result of a port; `None` if it should not have a link here.
    fn find(
        &self,
        lport: &str,
        chassis: &str,
        nb: &Northbound,
        links: &Links,
        attachments: &Attachments,
    ) -> Option<Found> {
        let port = nb.lports().get(lport)?;
        let bound_here = port.chassis.as_ref().is_some_and(|bound| *bound == chassis);
        if !bound_here || nb.segmentation_above(lport).is_some() {
            return None;
        }
        let (link, conflict) = match find_link(links, lport, attachments) {
            Ok(link) => (link, None),
            // A second link that claims the port does not take it from the first.
            Err(conflict) => {
                (links.with_alias(lport).find(|link| self.has(lport, link.ifindex)), Some(conflict))
            }
        };
        Some(match (link, conflict) {
            (Some(link), _) if !link.up => Found::Down(link.ifindex, link.name.clone()),
            (Some(link), conflict) => Found::Up(link.ifindex, conflict),
            (None, Some(conflict)) => Found::Nothing(conflict.into()),
            (None, None) => Found::Nothing(NoLink::Missing(describe_missing(lport, attachments))),
        })
    }

    /// Whether the port has this link, or had it in an earlier run.
    fn has(&self, lport: &str, ifindex: IfIndex) -> bool {
        match self.found.get(lport) {
            Some(found) => found.ifindex() == Some(ifindex),
            None => self.remembered.get(&ifindex).is_some_and(|holder| *holder == *lport),
        }
    }

    /// Whether a port claims the link, which may be down.
    pub(super) fn is_claimed(&self, ifindex: IfIndex) -> bool {
        self.claims.holder(&ifindex).is_some()
    }

    /// The port for which the link should be open. `None` while the link is down.
    pub(super) fn owner_of(&self, ifindex: IfIndex) -> Option<&Id> {
        let holder = self.claims.holder(&ifindex)?;
        matches!(self.found.get(holder), Some(Found::Up(..))).then_some(holder)
    }

    /// The links that should be open.
    pub(super) fn links(&self) -> impl Iterator<Item = IfIndex> {
        let links = self.claims.holders().map(|(ifindex, _)| *ifindex);
        links.filter(|ifindex| self.owner_of(*ifindex).is_some())
    }

    /// The link of a port; `None` if it should not have one here.
    pub(super) fn link_of(&self, lport: &str, links: &Links) -> Option<Result<IfIndex, NoLink>> {
        let ifindex = match self.found.get(lport)? {
            Found::Up(ifindex, _) => *ifindex,
            Found::Down(_, name) => return Some(Err(NoLink::Down(name.clone()))),
            Found::Nothing(reason) => return Some(Err(reason.clone())),
        };
        Some(match self.claims.holder(&ifindex) {
            Some(owner) if *owner != *lport => {
                let link = links.get(ifindex).map_or("?", |link| &link.name).to_owned();
                Err(NoLink::Taken { link, owner: owner.clone() })
            }
            _ => Ok(ifindex),
        })
    }

    /// The ports that should have a link here, with the result of [`link_of`](Self::link_of).
    pub(super) fn ports(&self, links: &Links) -> impl Iterator<Item = (&str, Result<IfIndex, NoLink>)> {
        self.found.keys().filter_map(|lport| Some((lport.as_str(), self.link_of(lport, links)?)))
    }

    pub(super) fn problems(&self, links: &Links) -> Vec<Problem> {
        let about = |lport: &Id, reason: String| Problem::new(format!("lport {lport}"), reason);
        let of = |(lport, found): (&Id, &Found)| {
            let conflict = match found {
                Found::Up(_, conflict) => conflict.as_ref().map(ToString::to_string),
                Found::Down(..) | Found::Nothing(_) => None,
            };
            let none = self.link_of(lport, links).and_then(Result::err).map(|reason| reason.to_string());
            conflict.into_iter().chain(none).map(|reason| about(lport, reason)).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of).collect()
    }

    /// Whether the port should have a link here.
    pub(super) fn contains(&self, lport: &str) -> bool {
        self.found.contains_key(lport)
    }
}
