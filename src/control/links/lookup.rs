//! Which link is a logical port's?

use std::collections::BTreeMap;

use super::{Link, Links};
use crate::types::Problem;

/// Finds the link of `lport`: the one that `attach` names, else the one whose alias is the lport's id, else the
/// one called `tap` and the first 11 characters of the id, as Nova and Neutron name it. `None` while there is
/// none; [`wanted_device`] says what was looked for.
///
/// # Errors
/// A [`Problem`] when two links claim the port, or when `attach` gives the link found to another port.
pub fn device_for<'a>(
    links: &'a Links,
    lport: &str,
    attach: &BTreeMap<String, String>,
) -> Result<Option<&'a Link>, Problem> {
    if let Some(device) = attach.get(lport) {
        return Ok(links.named(device));
    }
    let Some(found) = by_alias(links, lport)?.or_else(|| links.named(&tap_name(lport))) else {
        return Ok(None);
    };
    match attach.iter().find(|(_, device)| **device == found.name) {
        Some((owner, _)) => Err(Problem::new(
            format!("lport {lport}"),
            format!(
                "its link {} is attached to lport {owner}: remove that --attach, or the alias",
                found.name
            ),
        )),
        None => Ok(Some(found)),
    }
}

/// What [`device_for`] looks for, in words: why a port has no device.
#[must_use]
pub fn wanted_device(lport: &str, attach: &BTreeMap<String, String>) -> String {
    match attach.get(lport) {
        Some(device) => format!("no link is called {device} (--attach {lport}={device})"),
        None => format!("no link has the alias {lport} or the name {}", tap_name(lport)),
    }
}

fn by_alias<'a>(links: &'a Links, lport: &str) -> Result<Option<&'a Link>, Problem> {
    let mut claims = links.with_alias(lport);
    match (claims.next(), claims.next()) {
        (Some(first), Some(second)) => Err(Problem::new(
            format!("lport {lport}"),
            format!(
                "links {} and {} both have its id as alias: clear one with `ip link set DEV alias \"\"`",
                first.name, second.name
            ),
        )),
        (claim, _) => Ok(claim),
    }
}

/// Characters of a port's id that Nova and Neutron put behind `tap`.
pub const TAP_ID_CHARS: usize = 11;

fn tap_name(lport: &str) -> String {
    "tap".chars().chain(lport.chars().take(TAP_ID_CHARS)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::test_link;
    use super::*;

    const LPORT: &str = "c0a80101-1111-4aaa-8bbb-000000000166";

    fn links(named: &[(&str, Option<&str>)]) -> Links {
        (1..).zip(named).map(|(index, (name, alias))| test_link(index, name, *alias)).collect()
    }

    fn found(named: &[(&str, Option<&str>)], attach: &[(&str, &str)]) -> Result<Option<String>, Problem> {
        let attach = attach.iter().map(|(lport, dev)| ((*lport).to_owned(), (*dev).to_owned())).collect();
        device_for(&links(named), LPORT, &attach).map(|link| link.map(|link| link.name.clone()))
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
    fn an_attached_device_that_is_missing_is_waited_for() {
        assert_eq!(found(&[("p1", Some(LPORT))], &[(LPORT, "p9")]), Ok(None));
    }

    #[test]
    fn two_claims_are_a_problem_that_names_both() {
        let two = found(&[("p1", Some(LPORT)), ("p2", Some(LPORT))], &[]).unwrap_err();
        assert!(two.reason.contains("p1") && two.reason.contains("p2"), "{two}");
        let taken = found(&[("p1", Some(LPORT))], &[("other", "p1")]).unwrap_err();
        assert!(taken.reason.contains("p1") && taken.reason.contains("other"), "{taken}");
    }
}
