//! The links that records and configuration require, each for one role. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Attachments, LinkConflict, Links, describe_missing, find_link};
use crate::nb::{Claims, Northbound};
use crate::types::{Claim, Id, IfIndex, Incumbents, LinkRole, Problem};

/// The roles that should have a link here: the ports that are bound to this chassis and are no subports.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// The search result of each role, without regard to other roles.
    found: BTreeMap<LinkRole, Found>,
    /// The ports whose search found each link. The first of them has it until its search finds another, also
    /// while the link is down.
    claims: Claims<IfIndex>,
    /// The holders of contested links in an earlier run, until a role claims the link.
    remembered: BTreeMap<IfIndex, LinkRole>,
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
    /// The text names the links that were searched for.
    #[error("{0}")]
    Missing(String),
    #[error(transparent)]
    Conflict(#[from] LinkConflict),
    #[error("link {link} is lport {owner}'s already: a link belongs to one port")]
    Taken { link: String, owner: Id },
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
            Claim::Link(ifindex) => Some((*ifindex, LinkRole::Port(lport.clone()))),
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
        let kept = self.found.iter().filter_map(|(LinkRole::Port(lport), found)| match found {
            Found::Up(ifindex, Some(_)) => Some((Claim::Link(*ifindex), lport.clone())),
            Found::Up(_, None) | Found::Down(..) | Found::Nothing(_) => None,
        });
        kept.chain(contested).collect()
    }

    /// Searches the links of `lports`.
    pub(super) fn search<'a>(
        &mut self,
        lports: impl Iterator<Item = &'a Id>,
        sources: &SearchSources<'_>,
    ) -> Moved {
        let holders: BTreeSet<_> = self.remembered.values().cloned().collect();
        let roles = lports.map(|lport| LinkRole::Port(lport.clone()));
        let (first, then): (Vec<_>, Vec<_>) = roles.partition(|role| holders.contains(role));
        let mut moved = Moved::default();
        for role in first.into_iter().chain(then) {
            let found = match &role {
                LinkRole::Port(lport) => self.find(lport, sources),
            };
            self.set(&role, found, &mut moved);
        }
        self.remembered.retain(|ifindex, _| self.claims.holder(ifindex).is_none());
        moved
    }

    fn set(&mut self, role: &LinkRole, found: Option<Found>, moved: &mut Moved) {
        let LinkRole::Port(lport) = role;
        let before = self.found.get(role);
        if before == found.as_ref() {
            return;
        }
        let (had, has) = (before.and_then(Found::ifindex), found.as_ref().and_then(Found::ifindex));
        moved.roles.push(role.clone());
        moved.links.extend(had.into_iter().chain(has));
        if let Some(had) = had.filter(|_| had != has) {
            self.claims.remove_and_pass_on(&had, lport);
        }
        if let Some(has) = has {
            self.claims.insert(has, lport.clone());
        }
        match found {
            Some(found) => drop(self.found.insert(role.clone(), found)),
            None => drop(self.found.remove(role)),
        }
    }

    /// The search result of a port; `None` if it should not have a link here.
    fn find(&self, lport: &Id, sources: &SearchSources<'_>) -> Option<Found> {
        let SearchSources { chassis, nb, links, attachments } = *sources;
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
    fn has(&self, lport: &Id, ifindex: IfIndex) -> bool {
        let role = LinkRole::Port(lport.clone());
        match self.found.get(&role) {
            Some(found) => found.ifindex() == Some(ifindex),
            None => self.remembered.get(&ifindex) == Some(&role),
        }
    }

    /// Whether a role claims the link, which may be down.
    pub(super) fn is_claimed(&self, ifindex: IfIndex) -> bool {
        self.claims.holder(&ifindex).is_some()
    }

    /// The role for which the link should be open. `None` while the link is down.
    pub(super) fn role_of(&self, ifindex: IfIndex) -> Option<LinkRole> {
        let role = LinkRole::Port(self.claims.holder(&ifindex)?.clone());
        matches!(self.found.get(&role), Some(Found::Up(..))).then_some(role)
    }

    /// The links that should be open.
    pub(super) fn links(&self) -> impl Iterator<Item = IfIndex> {
        let links = self.claims.holders().map(|(ifindex, _)| *ifindex);
        links.filter(|ifindex| self.role_of(*ifindex).is_some())
    }

    /// The link of a role; `None` if it should not have one here.
    pub(super) fn link_of(&self, role: &LinkRole, links: &Links) -> Option<Result<IfIndex, NoLink>> {
        let LinkRole::Port(lport) = role;
        let ifindex = match self.found.get(role)? {
            Found::Up(ifindex, _) => *ifindex,
            Found::Down(_, name) => return Some(Err(NoLink::Down(name.clone()))),
            Found::Nothing(reason) => return Some(Err(reason.clone())),
        };
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
        self.found.keys().filter_map(|role| match role {
            LinkRole::Port(lport) => Some((lport, self.link_of(role, links)?)),
        })
    }

    pub(super) fn problems(&self, links: &Links) -> Vec<Problem> {
        let of = |(role, found): (&LinkRole, &Found)| {
            let conflict = match found {
                Found::Up(_, conflict) => conflict.as_ref().map(ToString::to_string),
                Found::Down(..) | Found::Nothing(_) => None,
            };
            let none = self.link_of(role, links).and_then(Result::err).map(|reason| reason.to_string());
            let problem = |reason| Problem::new(role.to_string(), reason);
            conflict.into_iter().chain(none).map(problem).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of).collect()
    }

    /// Whether the role should have a link here.
    pub(super) fn contains(&self, role: &LinkRole) -> bool {
        self.found.contains_key(role)
    }
}
