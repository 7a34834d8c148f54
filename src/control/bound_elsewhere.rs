//! Ports whose link is here while their record binds them to another compute node: most likely a misspelt
//! name of the chassis. Pure.

use std::collections::BTreeSet;

use super::links::{Attachments, Links, TAP_ID_CHARS, find_link, tap_ports};
use crate::nb::{LogicalPort, Northbound};
use crate::types::{Id, Problem, shorten};

/// A problem for each such port. Searches from the links, of which there are fewer than ports.
pub(super) fn problems(
    nb: &Northbound,
    links: &Links,
    chassis: &str,
    attachments: &Attachments,
) -> Vec<Problem> {
    let named = attachments.lports().filter_map(|lport| nb.lports().get(lport)).map(|port| &port.id);
    let found = links.iter().flat_map(|link| {
        let by_alias = link.alias.as_deref().and_then(|alias| nb.lports().get(alias));
        let whole_name = Some(&*link.name).filter(|name| name.len() == "tap".len() + TAP_ID_CHARS);
        let by_name = whole_name.into_iter().flat_map(|name| tap_ports(name, nb));
        by_alias.map(|port| &port.id).into_iter().chain(by_name)
    });
    let ports: BTreeSet<_> = named.chain(found).collect();
    ports.iter().filter_map(|id| problem(nb.lports().get(*id)?, nb, links, chassis, attachments)).collect()
}

fn problem(
    port: &LogicalPort,
    nb: &Northbound,
    links: &Links,
    here: &str,
    attachments: &Attachments,
) -> Option<Problem> {
    if port.chassis().is_some_and(|chassis| *chassis == here) || nb.segmentation_above(&port.id).is_some() {
        return None;
    }
    let link = find_link(links, &port.id, attachments).ok()??;
    let bound = port.chassis().map(Id::as_str).map_or_else(
        || "its record binds it to no chassis".to_owned(),
        |chassis| format!("its record binds it to chassis {}", shorten(chassis)),
    );
    let reason = format!(
        "{bound}, and its link {} is here, on chassis {here}: it is not forwarded -> set the record's binding.chassis to {here}, or remove the link if the port has moved",
        link.name
    );
    Some(Problem::new(format!("lport {}", port.id), reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::links::{Link, test_link};
    use crate::nb::{Record, Revision, Snapshot, Table};
    use crate::types::Incumbents;

    const PORT: &str = "c0a80101-1111-4aaa-8bbb-000000000166";

    fn northbound(binding: &serde_json::Value) -> Northbound {
        let mut json = json!({"id": PORT, "unique_key": 1, "lswitch": "n", "topic": "t", "name": "vm",
            "macs": ["02:00:00:00:00:01"], "enabled": true});
        if !binding.is_null() {
            json["binding"] = binding.clone();
        }
        let record = Record { table: Table::Lport, id: PORT.to_owned(), json };
        Northbound::from_snapshot(
            &Snapshot { revision: Revision(1), records: vec![record] },
            &Incumbents::new(),
        )
    }

    fn link(name: &str, alias: Option<&str>) -> Link {
        test_link(1, name, alias)
    }

    fn found(binding: &serde_json::Value, link: Link, attach: &[(&str, &str)]) -> Vec<String> {
        let attach = attach.iter().map(|(lport, name)| ((*lport).to_owned(), (*name).to_owned())).collect();
        let links = [link].into_iter().collect();
        let problems = problems(&northbound(binding), &links, "compute1", &Attachments::new(&attach));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_found_in_any_way_names_both_chassis() {
        let elsewhere = json!({"type": "chassis", "chassis": "compute01"});
        let ways = [
            (link("p1", Some(PORT)), vec![]),
            (link("tapc0a80101-11", None), vec![]),
            (link("p1", None), vec![(PORT, "p1")]),
        ];
        for (link, attach) in ways {
            let problems = found(&elsewhere, link.clone(), &attach);
            assert_eq!(problems.len(), 1, "{problems:?}");
            for part in [PORT, "compute01", &link.name, "on chassis compute1"] {
                assert!(problems[0].contains(part), "{part}: {problems:?}");
            }
        }
        let unbound = found(&json!(null), link("p1", Some(PORT)), &[]);
        assert!(unbound[0].contains("no chassis"), "{unbound:?}");
    }

    #[test]
    fn a_port_that_is_bound_here_or_has_no_link_here_is_none() {
        let here = json!({"type": "chassis", "chassis": "compute1"});
        let elsewhere = json!({"type": "chassis", "chassis": "compute01"});
        assert_eq!(found(&here, link("p1", Some(PORT)), &[]), [""; 0]);
        assert_eq!(found(&elsewhere, link("p1", None), &[]), [""; 0]);
        assert_eq!(found(&elsewhere, link("tapc0a80101-12", None), &[]), [""; 0]);
    }
}
