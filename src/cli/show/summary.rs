//! `trunkpath show` without a view: one screen with what exists and what is down.

use std::fmt;

use serde::Serialize;

use crate::api::model::{NbView, NetworkView, PortState, PortView, SubportView};
use crate::api::{Client, Query};
use crate::cli::daemon::request;
use crate::types::{Problem, printable};

/// Upper bound of the ports that are listed by name because they are down; `show ports` and `show subports`
/// list all.
const MAX_DOWN: usize = 10;

/// The answers that the summary is made of; `--json` prints them as they are.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    ports: Vec<PortView>,
    subports: Vec<SubportView>,
    networks: Vec<NetworkView>,
    nb: NbView,
    problems: Vec<Problem>,
}

impl Summary {
    pub(super) async fn read(client: &mut Client) -> anyhow::Result<Self> {
        Ok(Self {
            ports: request(client, &Query::Ports).await?,
            subports: request(client, &Query::Subports).await?,
            networks: request(client, &Query::Networks).await?,
            nb: request(client, &Query::Nb).await?,
            problems: request(client, &Query::Problems).await?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.ports.iter().map(|port| (&*port.name, &*port.lport, &port.state));
        write_states(f, "ports", ports)?;
        let subports = self.subports.iter().map(|port| (&*port.name, &*port.lport, &port.state));
        write_states(f, "subports", subports)?;
        writeln!(f, "{:11} {} with ports on this host", "networks", self.networks.len())?;
        let revision = self.nb.revision.map(|revision| format!(", revision {revision}")).unwrap_or_default();
        let age = self.nb.age_seconds.map(|age| format!(", {age:.1} s old")).unwrap_or_default();
        writeln!(f, "{:11} {}: {}{revision}{age}", "northbound", printable(&self.nb.url), self.nb.state)?;
        match self.problems.len() {
            0 => writeln!(f, "{:11} none", "problems"),
            count => writeln!(f, "{:11} {count} -> trunkpath show problems", "problems"),
        }
    }
}

/// Writes the number of ports that are up, then a line for each that is down.
fn write_states<'a>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    ports: impl Iterator<Item = (&'a str, &'a str, &'a PortState)> + Clone,
) -> fmt::Result {
    let down = ports.clone().filter(|(.., state)| **state != PortState::Up);
    let (total, down_count) = (ports.count(), down.clone().count());
    writeln!(f, "{title:11} {} of {total} up", total - down_count)?;
    for (name, lport, state) in down.take(MAX_DOWN) {
        let name = if name.is_empty() { lport } else { name };
        writeln!(f, "  {} {}", printable(name), printable(&state.to_string()))?;
    }
    match down_count.saturating_sub(MAX_DOWN) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more -> trunkpath show {title}"),
    }
}
