//! `trunkpath show`: what the daemon knows.

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::output::{print, print_json, printable, table};
use super::{DaemonArgs, ask, ask_json, block_on, read};
use crate::api::model::{NbView, NetworkPortView, NetworkView, PortView, SubportView, WorkerView};
use crate::api::{Client, Query};
use crate::types::{MacAddr, NoSocketPolicy, Problem};

/// Options of `trunkpath show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// What to show
    what: What,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Ports with a device of their own, and why one is not up
    Ports,
    /// Ports behind a parent, and why one is not up
    Subports,
    /// Networks and their ports that are here
    Networks,
    /// Worker threads and their queues
    Workers,
    /// What was skipped, why, and what to do
    Problems,
    /// The northbound DB as this host sees it, and how old that view is
    Nb,
    /// In what the tables in force differ from a fresh read of the northbound DB
    Drift,
}

impl What {
    const fn query(self) -> Query {
        match self {
            Self::Ports => Query::Ports,
            Self::Subports => Query::Subports,
            Self::Networks => Query::Networks,
            Self::Workers => Query::Workers,
            Self::Problems => Query::Problems,
            Self::Nb => Query::Nb,
            Self::Drift => Query::Drift,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<()> {
    block_on(async {
        let mut client = args.daemon.connect().await?;
        let answer = ask_json(&mut client, &args.what.query()).await?;
        if args.daemon.json {
            return print_json(&answer);
        }
        let shown = match args.what {
            What::Ports => ports(&read::<Vec<PortView>>(answer)?, &names(&mut client).await?),
            What::Subports => subports(&read::<Vec<SubportView>>(answer)?, &names(&mut client).await?),
            What::Networks => networks(&read::<Vec<NetworkView>>(answer)?),
            What::Workers => workers(&read::<Vec<WorkerView>>(answer)?),
            What::Problems => problems(&read::<Vec<Problem>>(answer)?),
            What::Nb => nb(&read::<NbView>(answer)?),
            What::Drift => drift(&read::<Vec<String>>(answer)?),
        };
        print(&shown)
    })
}

/// Networks' names by id: people know networks by name.
type Names = BTreeMap<String, String>;

async fn names(client: &mut Client) -> anyhow::Result<Names> {
    let networks: Vec<NetworkView> = ask(client, &Query::Networks).await?;
    Ok(networks.into_iter().map(|network| (network.lswitch, network.name)).collect())
}

fn name(names: &Names, network: &str) -> String {
    names.get(network).filter(|name| !name.is_empty()).map_or(network, String::as_str).to_owned()
}

fn ports(ports: &[PortView], names: &Names) -> String {
    if ports.is_empty() {
        return "no ports: no lport is bound to this chassis (`trunkpath nb list lport` shows the bindings)\n"
            .to_owned();
    }
    table(
        ["LPORT", "NAME", "DEVICE", "MODE", ">QUEUES", "NETWORK", "MACS", "OPTIONS", "STATE"],
        ports.iter().map(|port| {
            [
                port.lport.clone(),
                port.name.clone(),
                port.device.clone().unwrap_or_default(),
                port.mode.map_or("", |mode| mode.name()).to_owned(),
                port.queues.to_string(),
                name(names, &port.network),
                macs(&port.macs),
                options(port),
                port.state.clone(),
            ]
        }),
    )
}

/// Only what differs from the defaults.
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

fn subports(subports: &[SubportView], names: &Names) -> String {
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
                subport.state.clone(),
            ]
        }),
    )
}

fn networks(networks: &[NetworkView]) -> String {
    if networks.is_empty() {
        return "no networks: the northbound DB has no lswitch\n".to_owned();
    }
    let block = |network: &NetworkView| {
        let ports = network.ports.iter();
        let rows = ports
            .map(|port| [format!("  {}", port.lport), macs(&port.macs), pairs(port), port.state.clone()]);
        let (name, id) = (printable(&network.name), printable(&network.lswitch));
        let title = format!("{name} ({id}, key {})", network.key);
        match network.ports.len() {
            0 => format!("{title}: no port here\n"),
            _ => format!("{title}\n{}", table(["  LPORT", "MACS", "ADDRESS PAIRS", "STATE"], rows)),
        }
    };
    networks.iter().map(block).collect()
}

/// The addresses of a port's pairs, and where frames to each go.
fn pairs(port: &NetworkPortView) -> String {
    let pairs = port.pairs.iter().map(|pair| match pair.holder.as_deref() {
        Some(holder) if holder == port.lport => format!("{} (held)", pair.mac),
        Some(holder) => format!("{} (held by {holder})", pair.mac),
        None => format!("{} (held by none)", pair.mac),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

fn workers(workers: &[WorkerView]) -> String {
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

fn problems(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return "no problems\n".to_owned();
    }
    table(
        ["ABOUT", "PROBLEM"],
        problems.iter().map(|problem| [problem.about.clone(), problem.reason.clone()]),
    )
}

fn macs(macs: &[MacAddr]) -> String {
    macs.iter().map(MacAddr::to_string).collect::<Vec<_>>().join(" ")
}

fn nb(nb: &NbView) -> String {
    let age = nb.age_seconds.map_or_else(|| "-".to_owned(), |age| format!("{age:.1} s"));
    let revision = nb.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string());
    let row = [
        nb.url.clone(),
        nb.state.clone(),
        revision,
        age,
        nb.reported_up.to_string(),
        nb.unusable.to_string(),
        nb.chassis_record.clone(),
    ];
    let error = nb.error.as_deref().map(|error| format!("{}\n", printable(error))).unwrap_or_default();
    let columns =
        ["URL", "STATE", ">REVISION", ">AGE", ">REPORTED UP", ">UNUSABLE RECORDS", "CHASSIS RECORD"];
    table(columns, [row]) + &error
}

fn drift(differences: &[String]) -> String {
    if differences.is_empty() {
        return "no drift: the tables are those of the northbound DB\n".to_owned();
    }
    let lines: Vec<_> = differences.iter().map(|difference| printable(difference)).collect();
    lines.join("\n") + "\n"
}
