//! The search for the link of a port.

use std::ops::Bound;

use super::attachments::Attachments;
use super::event::LinkEvent;
use super::link::Link;
use super::table::Links;
use crate::nb::Northbound;
use crate::types::{Id, IfIndex};

/// Characters of a port's id that Nova and Neutron put behind `tap`.
pub const TAP_ID_CHARS: usize = 11;

/// Two claims on one link, or two links that claim one port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkConflict {
    /// The setting `attach` gives the link of the port to another one.
    #[error("its link {link} is attached to lport {owner}: remove that --attach, or the alias")]
    Attached {
        /// Name of the link that the search found.
        link: String,
        /// Id of the other port.
        owner: Id,
    },
    /// Two links have the id of the port as their alias.
    #[error("links {0} and {1} both have its id as alias: clear one with `ip link set DEV alias \"\"`")]
    TwoAliases(String, String),
}

/// Searches the link of `lport`: the one that `attach` names, else the one whose alias is the lport's id,
/// else the one called `tap` and the first 11 characters of the id, as Nova and Neutron name it. `None` if
/// there is none; [`describe_missing`] describes what was searched for.
///
/// # Errors
/// [`LinkConflict`]: which link belongs to the port is ambiguous.
pub fn find_link<'a>(
    links: &'a Links,
    lport: &str,
    attachments: &Attachments,
) -> Result<Option<&'a Link>, LinkConflict> {
    if let Some(name) = attachments.link_of(lport) {
        return Ok(links.named(name));
    }
    let Some(found) = by_alias(links, lport)?.or_else(|| links.named(&tap_name(lport))) else {
        return Ok(None);
    };
    match attachments.lport_of(&found.name) {
        Some(owner) => Err(LinkConflict::Attached { link: found.name.clone(), owner: owner.clone() }),
        None => Ok(Some(found)),
    }
}

fn by_alias<'a>(links: &'a Links, lport: &str) -> Result<Option<&'a Link>, LinkConflict> {
    let mut claims = links.with_alias(lport);
    match (claims.next(), claims.next()) {
        (Some(first), Some(second)) => Err(LinkConflict::TwoAliases(first.name.clone(), second.name.clone())),
        (claim, _) => Ok(claim),
    }
}

/// The links that [`find_link`] searches for, for the message about a port without a link.
#[must_use]
pub fn describe_missing(lport: &str, attachments: &Attachments) -> String {
    match attachments.link_of(lport) {
        Some(link) => format!("no link is called {link} (--attach {lport}={link})"),
        None => format!("no link has the alias {lport} or the name {}", tap_name(lport)),
    }
}

/// The ports whose search result may change when `event` is applied to `links`, of which the links `changed`
/// differ.
#[must_use]
pub fn affected_ports(
    event: &LinkEvent,
    changed: &[IfIndex],
    links: &Links,
    nb: &Northbound,
    attachments: &Attachments,
) -> Vec<Id> {
    let versions = |ifindex: &IfIndex| [links.get(*ifindex), event.link(*ifindex)].into_iter().flatten();
    let versions = changed.iter().flat_map(versions);
    versions.flat_map(|link| candidates(link, nb, attachments)).cloned().collect()
}

/// The ports that a link with this name and alias may belong to.
fn candidates<'a>(
    link: &'a Link,
    nb: &'a Northbound,
    attachments: &'a Attachments,
) -> impl Iterator<Item = &'a Id> {
    let by_alias = link.alias.as_deref().and_then(|alias| nb.lports().get(alias));
    attachments.lports_of(&link.name).chain(by_alias.map(|port| &port.id)).chain(tap_ports(&link.name, nb))
}

/// The name that Nova and Neutron give to the tap of a port.
fn tap_name(lport: &str) -> String {
    "tap".chars().chain(lport.chars().take(TAP_ID_CHARS)).collect()
}

/// The ports whose tap has this name: those whose ids begin with the characters after `tap`.
pub fn tap_ports<'a>(name: &'a str, nb: &'a Northbound) -> impl Iterator<Item = &'a Id> {
    name.strip_prefix("tap").into_iter().flat_map(move |prefix| {
        let ports = nb.lports().range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let ids = ports.map(|(_, port)| &port.id).take_while(move |id| id.starts_with(prefix));
        // Behind a shorter name is a whole id, which is the first in the order of ids.
        let most = if prefix.chars().count() < TAP_ID_CHARS { 1 } else { usize::MAX };
        ids.take(most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::links::test_link;
    use crate::nb::{Change, Record, Table};

    const LPORT: &str = "c0a80101-1111-4aaa-8bbb-000000000166";

    fn links(named: &[(&str, Option<&str>)]) -> Links {
        (1..).zip(named).map(|(index, (name, alias))| test_link(index, name, *alias)).collect()
    }

    fn found(
        named: &[(&str, Option<&str>)],
        attach: &[(&str, &str)],
    ) -> Result<Option<String>, LinkConflict> {
        let attach = attach.iter().map(|(lport, name)| ((*lport).to_owned(), (*name).to_owned())).collect();
        let found =
            find_link(&links(named), LPORT, &Attachments::new(&attach))?.map(|link| link.name.clone());
        Ok(found)
    }

    #[test]
    fn attach_goes_before_alias_and_alias_before_name() {
        let all = [("tapc0a80101-11", None), ("p1", Some(LPORT)), ("p2", None)];
        assert_eq!(found(&all, &[(LPORT, "p2")]), Ok(Some("p2".to_owned())));
        assert_eq!(found(&all, &[]), Ok(Some("p1".to_owned())));
        assert_eq!(found(&all[..1], &[]), Ok(Some("tapc0a80101-11".to_owned())));
        assert_eq!(found(&all[2..], &[]), Ok(None));
    }

    #[test]
    fn an_attached_link_that_does_not_exist_yet_is_no_conflict() {
        assert_eq!(found(&[("p1", Some(LPORT))], &[(LPORT, "p9")]), Ok(None));
    }

    #[test]
    fn two_claims_are_a_problem_that_names_both() {
        let two = found(&[("p1", Some(LPORT)), ("p2", Some(LPORT))], &[]).unwrap_err().to_string();
        assert!(two.contains("p1") && two.contains("p2"), "{two}");
        let taken = found(&[("p1", Some(LPORT))], &[("other", "p1")]).unwrap_err().to_string();
        assert!(taken.contains("p1") && taken.contains("other"), "{taken}");
    }

    #[test]
    fn a_tap_is_that_of_each_port_with_its_prefix_or_of_the_port_with_that_id() {
        let put = |id: &str| {
            let json = serde_json::json!({"id": id, "unique_key": 1, "lswitch": "n"});
            Change::Put(Record { table: Table::Lport, id: id.to_owned(), json })
        };
        let mut nb = Northbound::default();
        for id in ["c0a80101-11", LPORT, "c0a80101-12", "c0", "vm", "vm2"] {
            let edit = nb.edit(&put(id)).unwrap();
            nb.make(edit);
        }
        let ports = |name| tap_ports(name, &nb).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(ports("tapc0a80101-11"), ["c0a80101-11", LPORT]);
        assert_eq!(ports("tapvm"), ["vm"]);
        assert_eq!((ports("vm"), ports("tapvm3")), (vec![], vec![]));
    }
}
