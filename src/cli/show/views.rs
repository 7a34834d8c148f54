//! The answers of the daemon as tables.

use std::collections::BTreeMap;

use crate::api::model::{NbView, NetworkPortView, NetworkView, PortView, SubportView, WorkerView};
use crate::cli::output::{table, wrap};
use crate::types::{MacAddr, NoSocketPolicy, Problem, printable};

/// Names of networks by id.
pub(super) type Names = BTreeMap<String, String>;

fn name(names: &Names, network: &str) -> String {
    names.get(network).filter(|name| !name.is_empty()).map_or(network, String::as_str).to_owned()
}

pub(super) fn ports(ports: &[PortView], names: &Names) -> String {
    if ports.is_empty() {
        return "no ports: no lport is bound to this chassis (`trunkpath nb list lport` shows the bindings)\n"
            .to_owned();
    }
    table(
        ["LPORT", "NAME", "LINK", "MODE", ">QUEUES", "NETWORK", "MACS", "OPTIONS", "STATE"],
        ports.iter().map(|port| {
            [
                port.lport.clone(),
                port.name.clone(),
                port.link.clone().unwrap_or_default(),
                port.mode.map_or("", |mode| mode.name()).to_owned(),
                port.queues.to_string(),
                name(names, &port.network),
                macs(&port.macs),
                options(port),
                port.state.to_string(),
            ]
        }),
    )
}

/// The options that differ from the defaults.
fn options(port: &PortView) -> String {
    [
        (port.no_socket == NoSocketPolicy::Pass, "no_socket=pass"),
        (port.allow_generic, "allow_generic"),
        (!port.complete_checksums, "complete_checksums=false"),
    ]
    .iter()
    .filter(|(differs, _)| *differs)
    .map(|(_, option)| *option)
    .collect::<Vec<_>>()
    .join(" ")
}

pub(super) fn subports(subports: &[SubportView], names: &Names) -> String {
    if subports.is_empty() {
        return "no subports: `trunkpath nb add-subport PARENT PORT VID` makes one\n".to_owned();
    }
    table(
        ["LPORT", "NAME", "PARENT", "TAG", "NETWORK", "MACS", "STATE"],
        subports.iter().map(|subport| {
            let id = subport.segmentation_id.map(|id| format!(" {id}")).unwrap_or_default();
            [
                subport.lport.clone(),
                subport.name.clone(),
                subport.parent.clone(),
                format!("{}{id}", subport.segmentation_type),
                name(names, &subport.network),
                macs(&subport.macs),
                subport.state.to_string(),
            ]
        }),
    )
}

pub(super) fn networks(networks: &[NetworkView]) -> String {
    if networks.is_empty() {
        return "no networks: the northbound DB has no lswitch\n".to_owned();
    }
    let block = |network: &NetworkView| {
        let ports = network.ports.iter();
        let rows = ports
            .map(|port| [format!("  {}", port.lport), macs(&port.macs), pairs(port), port.state.to_string()]);
        let (name, id) = (printable(&network.name), printable(&network.lswitch));
        let title = format!("{name} ({id}, key {})", network.key);
        match network.ports.len() {
            0 => format!("{title}: no port here\n"),
            _ => format!("{title}\n{}", table(["  LPORT", "MACS", "ADDRESS PAIRS", "STATE"], rows)),
        }
    };
    networks.iter().map(block).collect()
}

/// The addresses of a port's pairs, each with the port that receives its frames.
fn pairs(port: &NetworkPortView) -> String {
    let pairs = port.pairs.iter().map(|pair| match pair.holder.as_deref() {
        Some(holder) if holder == port.lport => format!("{} (held)", pair.mac),
        Some(holder) => format!("{} (held by {holder})", pair.mac),
        None => format!("{} (held by none)", pair.mac),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

pub(super) fn workers(workers: &[WorkerView]) -> String {
    table(
        [">WORKER", ">CPU", "NOW", ">HANDOVER", "QUEUES"],
        workers.iter().map(|worker| {
            [
                worker.worker.to_string(),
                worker.cpu.to_string(),
                if worker.sleeping { "sleeping" } else { "busy" }.to_owned(),
                worker.handover_queued.to_string(),
                worker.queues.join(" "),
            ]
        }),
    )
}

pub(super) fn problems(problems: &[Problem], width: usize) -> String {
    if problems.is_empty() {
        return "no problems\n".to_owned();
    }
    problems.iter().map(|problem| block(problem, width)).collect()
}

/// A line with the title, then the meaning, then `->` and the action.
fn block(problem: &Problem, width: usize) -> String {
    let reason = printable(&problem.reason);
    let (meaning, action) = match reason.split_once(" -> ") {
        Some((meaning, action)) => (meaning, Some(action)),
        None => (&*reason, None),
    };
    let action = action.map(|action| wrap(action, "  -> ", "     ", width)).unwrap_or_default();
    format!("{}\n{}{action}", printable(&problem.about), wrap(meaning, "  ", "  ", width))
}

fn macs(macs: &[MacAddr]) -> String {
    macs.iter().map(MacAddr::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn nb(nb: &NbView) -> String {
    let age = nb.age_seconds.map_or_else(|| "-".to_owned(), |age| format!("{age:.1} s"));
    let revision = nb.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string());
    let row = [
        nb.url.clone(),
        nb.state.to_string(),
        revision,
        age,
        nb.reported_up.to_string(),
        nb.unusable.to_string(),
        nb.chassis_record.to_string(),
    ];
    let error = nb.error.as_deref().map(|error| format!("{}\n", printable(error))).unwrap_or_default();
    let columns =
        ["URL", "STATE", ">REVISION", ">AGE", ">REPORTED UP", ">UNUSABLE RECORDS", "CHASSIS RECORD"];
    table(columns, [row]) + &error
}

pub(super) fn drift(differences: &[String]) -> String {
    if differences.is_empty() {
        return "no drift: the tables in force are those of the northbound DB\n".to_owned();
    }
    let lines: Vec<_> = differences.iter().map(|difference| printable(difference)).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_a_title_a_meaning_and_an_action() {
        let problem = Problem::new("link t\x1b0", "has no native XDP at all -> allow_generic = true");
        assert_eq!(
            problems(&[problem], 20),
            "link t\\u{1b}0\n  has no native XDP\n  at all\n  -> allow_generic =\n     true\n"
        );
    }
}
