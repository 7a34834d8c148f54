//! Ports whose link is here while their record binds them to another compute node: a misspelt name of the chassis, most
//! likely. Pure.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::links::{Links, TAP_ID_CHARS, device_for};
use crate::config::Config;
use crate::nb::{LogicalPort, Northbound};
use crate::types::{Id, Problem, shorten};

/// A problem for each. Looks at the links, of which there are fewer than ports.
pub(super) fn problems(nb: &Northbound, links: &Links, config: &Config) -> Vec<Problem> {
    let named = config.attach.keys().filter_map(|lport| nb.lports().get(lport.as_str()));
    let found = links.iter().flat_map(|link| {
        let by_alias = link.alias.as_deref().and_then(|alias| nb.lports().get(alias));
        by_alias.into_iter().chain(tap_ports(&link.name, nb))
    });
    let ports: BTreeSet<_> = named.chain(found).map(|port| port.id.clone()).collect();
    ports.iter().filter_map(|id| problem(nb.lports().get(id)?, nb, links, config)).collect()
}

/// The ports whose tap device has this name.
fn tap_ports<'a>(name: &'a str, nb: &'a Northbound) -> impl Iterator<Item = &'a LogicalPort> {
    let prefix = name.strip_prefix("tap").filter(|prefix| prefix.len() == TAP_ID_CHARS);
    prefix.into_iter().flat_map(|prefix| {
        let ports = nb.lports().range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        ports.map(|(_, port)| port).take_while(move |port| port.id.starts_with(prefix))
    })
}

fn problem(port: &LogicalPort, nb: &Northbound, links: &Links, config: &Config) -> Option<Problem> {
    if port.chassis.as_ref().is_some_and(|chassis| *chassis == config.chassis)
        || nb.segmentation_above(&port.id).is_some()
    {
        return None;
    }
    let link = device_for(links, &port.id, &config.attach).ok()??;
    let bound = port.chassis.as_ref().map(Id::as_str).map_or_else(
        || "its record binds it to no chassis".to_owned(),
        |chassis| format!("its record binds it to chassis {}", shorten(chassis)),
    );
    let reason = format!(
        "{bound}, and its link {} is here, on chassis {}: it is not forwarded -> set the record's binding.chassis to {}, or remove the link if the port has moved",
        link.name, config.chassis, config.chassis
    );
    Some(Problem::new(format!("lport {}", port.id), reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Settings;
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
        let settings = Settings { chassis: Some("compute1".to_owned()), attach, ..Settings::default() };
        let links = [link].into_iter().collect();
        let problems = problems(&northbound(binding), &links, &settings.check().unwrap());
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
