//! `trunkpath show`: ports, networks, security groups, workers, problems and the northbound DB of a running daemon.

mod outside;
mod security_groups;
mod summary;
mod views;

use anyhow::bail;
use clap::ValueEnum;

use super::daemon::{DaemonArgs, block_on, decode, request, request_json};
use super::output::{print, print_json, width};
use crate::api::model::{
    ConnectionsRequest, ConnectionsView, GroupView, NbView, NetworkView, PeerView, PortView, SubportView,
    UplinkView, WorkerView,
};
use crate::api::{Client, Query};
use crate::types::Problem;
use summary::Summary;
use views::Names;

/// Options of `trunkpath show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The view [default: a summary of all]
    view: Option<View>,
    /// Id of an lport, to see its connections only
    #[arg(value_name = "LPORT")]
    port: Option<String>,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum View {
    /// Ports with a link of their own, and why a port is down
    #[value(alias = "port")]
    Ports,
    /// Ports behind a parent, and why a port is down
    #[value(alias = "subport")]
    Subports,
    /// Networks and their ports on this host
    #[value(alias = "network")]
    Networks,
    /// Other hosts with ports of networks here: their tunnel endpoints, and the paths to them
    #[value(alias = "peer")]
    Peers,
    /// Links to other hosts: tunnels and provider networks
    #[value(alias = "uplink")]
    Uplinks,
    /// Security groups of ports here, and their rules
    #[value(alias = "group")]
    Groups,
    /// Connections that security groups have allowed, those with the most bytes first
    #[value(alias = "connection")]
    Connections,
    /// Worker threads and their queues
    #[value(alias = "worker")]
    Workers,
    /// Records, links and files that cannot be used, with the reason and what to do
    #[value(alias = "problem")]
    Problems,
    /// The northbound DB: how old the records in force are, and what is reported to it
    Nb,
    /// Differences between the tables in force and a fresh read of the northbound DB
    Drift,
}

impl View {
    fn query(self, port: Option<String>) -> Query {
        match self {
            Self::Groups => Query::Groups,
            Self::Connections => Query::Connections(ConnectionsRequest { port }),
            Self::Ports => Query::Ports,
            Self::Subports => Query::Subports,
            Self::Networks => Query::Networks,
            Self::Peers => Query::Peers,
            Self::Uplinks => Query::Uplinks,
            Self::Workers => Query::Workers,
            Self::Problems => Query::Problems,
            Self::Nb => Query::Nb,
            Self::Drift => Query::Drift,
        }
    }
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<()> {
    block_on(async {
        let mut client = args.daemon.connect().await?;
        let Some(view) = args.view else {
            let summary = Summary::read(&mut client).await?;
            return if args.daemon.json { print_json(&summary) } else { print(&summary.to_string()) };
        };
        if args.port.is_some() && !matches!(view, View::Connections) {
            bail!("only connections are shown of one lport");
        }
        let answer = request_json(&mut client, &view.query(args.port.clone())).await?;
        if args.daemon.json {
            return print_json(&answer);
        }
        let shown = match view {
            View::Ports => views::ports(&decode::<Vec<PortView>>(answer)?, &names(&mut client).await?),
            View::Subports => {
                views::subports(&decode::<Vec<SubportView>>(answer)?, &names(&mut client).await?)
            }
            View::Networks => views::networks(&decode::<Vec<NetworkView>>(answer)?),
            View::Peers => outside::peers(&decode::<Vec<PeerView>>(answer)?),
            View::Uplinks => outside::uplinks(&decode::<Vec<UplinkView>>(answer)?),
            View::Groups => security_groups::groups(&decode::<Vec<GroupView>>(answer)?),
            View::Connections => security_groups::connections(&decode::<ConnectionsView>(answer)?),
            View::Workers => views::workers(&decode::<Vec<WorkerView>>(answer)?),
            View::Problems => views::problems(&decode::<Vec<Problem>>(answer)?, width()),
            View::Nb => views::nb(&decode::<NbView>(answer)?),
            View::Drift => views::drift(&decode::<Vec<String>>(answer)?),
        };
        print(&shown)
    })
}

async fn names(client: &mut Client) -> anyhow::Result<Names> {
    let networks: Vec<NetworkView> = request(client, &Query::Networks).await?;
    Ok(networks.into_iter().map(|network| (network.lswitch, network.name)).collect())
}
