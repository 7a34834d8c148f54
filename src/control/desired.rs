//! The links that records and configuration require, each for one role. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::links::{Attachments, LinkConflict, Links, describe_missing, find_link};
use crate::nb::{Claims, Northbound};
use crate::types::{Claim, Id, IfIndex, Incumbents, LinkRole, Problem};

/// The roles that should have a link here: the ports that are bound to this chassis and are no subports, and
/// the uplinks.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// The search result of each port, without regard to other ports and to uplinks.
    found: BTreeMap<Id, Found>,
    /// The ports whose search found each link. The first of them has it until its search finds another, also
    /// while the link is down.
    claims: Claims<IfIndex>,
    /// The holders of contested links in an earlier run, until a port claims the link.
    remembered: BTreeMap<IfIndex, Id>,
    /// The uplinks, which no port gets. One that is down has no role.
    uplinks: BTreeMap<IfIndex, Uplink>,
}

/// A link that other hosts are reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uplink {
    pub(super) name: Id,
    pub(super) is_up: bool,
}

/// The result of the search for a port's link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// A link that is up. With a conflict it is the link that the port had before.
    Up(IfIndex, Option<LinkConflict>),
    /// A link that is down, and its name. With a conflict as above.
    Down(IfIndex, String, Option<LinkConflict>),
    Nothing(NoLink),
}

impl Found {
    const fn ifindex(&self) -> Option<IfIndex> {
        match self {
            Self::Up(ifindex, _) | Self::Down(ifindex, ..) => Some(*ifindex),
            Self::Nothing(_) => None,
        }
    }

    /// Why the link is only kept, and not found.
    const fn conflict(&self) -> Option<&LinkConflict> {
        match self {
            Self::Up(_, conflict) | Self::Down(_, _, conflict) => conflict.as_ref(),
            Self::Nothing(_) => None,
        }
    }
}

/// Why a port that should have a link here has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLink {
    #[error("link {0} is down")]
    Down(String),
    /// The text names the links that were searched for.
    #[error("{0}")]
    Missing(String),
    #[error(transparent)]
    Conflict(#[from] LinkConflict),
    #[error("link {link} is lport {owner}'s already: a link belongs to one port")]
    Taken { link: String, owner: Id },
    #[error("link {0} is an uplink: give the port a link of its own")]
    Uplink(Id),
}

/// The effect of a search: whatever depends on one of these has to be examined.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Roles with another search result.
    pub(super) roles: Vec<LinkRole>,
    /// The links that they had and have.
    pub(super) links: BTreeSet<IfIndex>,
}

/// What a search depends on.
#[derive(Debug)]
pub(super) struct SearchSources<'a> {
    /// The name of this host in the NB DB.
    pub(super) chassis: &'a str,
    pub(super) nb: &'a Northbound,
    pub(super) links: &'a Links,
    pub(super) attachments: &'a Attachments,
}

impl Desired {
    /// Sets the [incumbents](Self::incumbents) of an earlier run, before the first search.
    pub(super) fn set_incumbents(&mut self, incumbents: &Incumbents) {
        let links = incumbents.iter().filter_map(|(claim, lport)| match claim {
            Claim::Link(ifindex) => Some((*ifindex, lport.clone())),
            Claim::PortKey(_)
            | Claim::NetworkKey(_)
            | Claim::Tag(..)
            | Claim::Subport(_)
            | Claim::Segment(_)
            | Claim::Endpoint(_)
            | Claim::Mac(..) => None,
        });
        self.remembered = links.collect();
    }

    /// The holders of links that several ports claim, and the ports that keep one of several links.
    pub(super) fn incumbents(&self) -> Incumbents {
        let contested =
            self.claims.contested().map(|(ifindex, lport)| (Claim::Link(*ifindex), lport.clone()));
        let kept = self.found.iter().filter(|(_, found)| found.conflict().is_some());
        let kept = kept.filter_map(|(lport, found)| Some((Claim::Link(found.ifindex()?), lport.clone())));
        kept.chain(contested).collect()
    }

    /// Searches the links of `lports`.
    pub(super) fn search<'a>(
        &mut self,
        lports: impl Iterator<Item = &'a Id>,
        sources: &SearchSources<'_>,
    ) -> Moved {
        let holders: BTreeSet<_> = self.remembered.values().cloned().collect();
        let (first, then): (Vec<_>, Vec<_>) = lports.partition(|lport| holders.contains(*lport));
        let mut moved = Moved::default();
        for lport in first.into_iter().chain(then) {
            let found = self.find(lport, sources);
            self.set(lport, found, &mut moved);
        }
        self.remembered.retain(|ifindex, _| self.claims.holder(ifindex).is_none());
        moved
    }

    /// Replaces the uplinks. Returns the links that have become one, changed as such or are none any longer.
    pub(super) fn set_uplinks(&mut self, uplinks: BTreeMap<IfIndex, Uplink>) -> BTreeSet<IfIndex> {
        let before = mem::replace(&mut self.uplinks, uplinks);
        let links = before.keys().chain(self.uplinks.keys());
        links.filter(|ifindex| before.get(ifindex) != self.uplinks.get(ifindex)).copied().collect()
    }

    fn set(&mut self, lport: &Id, found: Option<Found>, moved: &mut Moved) {
        let before = self.found.get(lport);
        if before == found.as_ref() {
            return;
        }
        let (had, has) = (before.and_then(Found::ifindex), found.as_ref().and_then(Found::ifindex));
        moved.roles.push(LinkRole::Port(lport.clone()));
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
    fn find(&self, lport: &Id, sources: &SearchSources<'_>) -> Option<Found> {
        let SearchSources { chassis, nb, links, attachments } = *sources;
        let port = nb.lports().get(lport)?;
        let bound_here = port.chassis().is_some_and(|bound| *bound == chassis);
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
            (Some(link), conflict) if !link.up => Found::Down(link.ifindex, link.name.clone(), conflict),
            (Some(link), conflict) => Found::Up(link.ifindex, conflict),
            (None, Some(conflict)) => Found::Nothing(conflict.into()),
            (None, None) => Found::Nothing(NoLink::Missing(describe_missing(lport, attachments))),
        })
    }

    /// Whether the port has this link, or had it in an earlier run.
    fn has(&self, lport: &Id, ifindex: IfIndex) -> bool {
        match self.found.get(lport) {
            Some(found) => found.ifindex() == Some(ifindex),
            None => self.remembered.get(&ifindex) == Some(lport),
        }
    }

    /// The port that claims the link, which may be down, before all others.
    pub(super) fn port_at(&self, ifindex: IfIndex) -> Option<&Id> {
        self.claims.holder(&ifindex)
    }

    /// Whether a role claims the link, which may be down.
    pub(super) fn is_claimed(&self, ifindex: IfIndex) -> bool {
        self.port_at(ifindex).is_some() || self.uplinks.contains_key(&ifindex)
    }

    /// The role for which the link should be open. `None` while the link is down.
    pub(super) fn role_of(&self, ifindex: IfIndex) -> Option<LinkRole> {
        if let Some(uplink) = self.uplinks.get(&ifindex) {
            return uplink.is_up.then(|| LinkRole::Uplink(uplink.name.clone()));
        }
        let lport = self.claims.holder(&ifindex)?;
        matches!(self.found.get(lport), Some(Found::Up(..))).then(|| LinkRole::Port(lport.clone()))
    }

    /// The links that should be open.
    pub(super) fn links(&self) -> impl Iterator<Item = IfIndex> {
        let of_ports = self.claims.holders().map(|(ifindex, _)| *ifindex);
        let of_ports = of_ports.filter(|ifindex| !self.uplinks.contains_key(ifindex));
        of_ports.chain(self.uplinks.keys().copied()).filter(|ifindex| self.role_of(*ifindex).is_some())
    }

    /// Whether the role keeps an open link that is switched off: it is still the one of the role.
    pub(super) fn keeps_while_down(&self, role: &LinkRole, ifindex: IfIndex) -> bool {
        match role {
            LinkRole::Port(lport) => {
                matches!(self.found.get(lport), Some(Found::Down(down, ..)) if *down == ifindex)
            }
            LinkRole::Uplink(name) => self.uplinks.get(&ifindex).is_some_and(|uplink| uplink.name == *name),
        }
    }

    /// The link of a port; `None` if it should not have one here.
    pub(super) fn link_of(&self, lport: &Id, links: &Links) -> Option<Result<IfIndex, NoLink>> {
        let ifindex = match self.found.get(lport)? {
            Found::Up(ifindex, _) => *ifindex,
            Found::Down(_, name, _) => return Some(Err(NoLink::Down(name.clone()))),
            Found::Nothing(reason) => return Some(Err(reason.clone())),
        };
        if let Some(uplink) = self.uplinks.get(&ifindex) {
            return Some(Err(NoLink::Uplink(uplink.name.clone())));
        }
        Some(match self.claims.holder(&ifindex) {
            Some(owner) if owner != lport => {
                let link = links.get(ifindex).map_or("?", |link| &link.name).to_owned();
                Err(NoLink::Taken { link, owner: owner.clone() })
            }
            _ => Ok(ifindex),
        })
    }

    /// The ports that should have a link here, with the result of [`link_of`](Self::link_of).
    pub(super) fn ports(&self, links: &Links) -> impl Iterator<Item = (&Id, Result<IfIndex, NoLink>)> {
        self.found.keys().filter_map(|lport| Some((lport, self.link_of(lport, links)?)))
    }

    pub(super) fn problems(&self, links: &Links) -> Vec<Problem> {
        let of = |(lport, found): (&Id, &Found)| {
            let conflict = found.conflict().map(ToString::to_string);
            let none = self.link_of(lport, links).and_then(Result::err).map(|reason| reason.to_string());
            let problem = |reason| Problem::new(format!("lport {lport}"), reason);
            conflict.into_iter().chain(none).map(problem).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of).collect()
    }

    /// Whether the port should have a link here.
    pub(super) fn contains(&self, lport: &str) -> bool {
        self.found.contains_key(lport)
    }
}
