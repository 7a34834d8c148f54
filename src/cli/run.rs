//! `trunkpath run`: options of the daemon, and its start.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::failure::failure;
use crate::config::{
    Config, DEFAULT_API, DEFAULT_PIN_FOLDER, DEFAULT_STATE, IdleMode, OnWorkerPanic, PortSettings, Settings,
};
use crate::control::{self, Prepared};
use crate::logging;
use crate::nb::DEFAULT_URL;
use crate::types::ReservedMulticast;

const PORT_HELP: &str = "Option of one port, or of all (*): no_socket=drop|pass, allow_generic=true|false, \
                         complete_checksums=true|false, unknown_tags=pass|drop; repeatable";

/// Options of `trunkpath run`. Each is also a key of the config file, and overrides it.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// TOML file with these options as keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "URL", help = format!("URL of the northbound DB [default: {DEFAULT_URL}]"))]
    nb: Option<String>,
    /// Name of this host in the northbound DB [default: the host name]
    #[arg(long, value_name = "NAME")]
    chassis: Option<String>,
    /// Address at which other hosts reach this one, for its chassis record [default: that of the default
    /// route]
    #[arg(long, value_name = "IP")]
    local_ip: Option<IpAddr>,
    /// CPUs as in 1-3,6, with one worker each [default: one worker on the last CPU]
    #[arg(long, value_name = "CPUS")]
    workers: Option<String>,
    /// Link of a port, if neither the link's alias nor its name identifies the port; repeatable
    #[arg(long, value_name = "LPORT=LINK", value_parser = attachment)]
    attach: Vec<(String, String)>,
    /// Link of a physical network, by which provider networks (types vlan, flat) leave; repeatable
    #[arg(long, value_name = "PHYSNET=LINK", value_parser = uplink)]
    uplink: Vec<(String, String)>,
    /// Whether outer IPv4 headers of tunnels forbid fragments (DF) [default: false]
    #[arg(long, value_name = "BOOL")]
    tunnel_df: Option<bool>,
    #[arg(long, value_name = "LPORT:KEY=VALUE", value_parser = port_option, help = PORT_HELP)]
    port: Vec<(String, PortSettings)>,
    #[arg(long, value_name = "SOCKET", help = format!("Socket of the API, which show, stats and trace use [default: {DEFAULT_API}]"))]
    api: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = format!("File with a copy of the records of etcd or redis, for a start without them [default: {DEFAULT_STATE}]"))]
    state: Option<PathBuf>,
    #[arg(long, value_name = "DIR", help = format!("Folder in a bpffs for pinned programs, which drop frames after a kill [default: {DEFAULT_PIN_FOLDER}]"))]
    pin_folder: Option<PathBuf>,
    /// Restart a worker that panicked, or exit with an error [default: restart]
    #[arg(long, value_name = "WHAT")]
    on_worker_panic: Option<OnWorkerPanic>,
    /// Packet memory in MiB [default: 256]
    #[arg(long, value_name = "MIB")]
    umem_mib: Option<u32>,
    /// Behaviour of workers without frames [default: adaptive]
    #[arg(long, value_name = "MODE")]
    idle: Option<IdleMode>,
    /// Frames a second that one guest may cause beyond those it sends (copies of floods, surplus segments),
    /// for each worker; 0: no limit [default: 100000]
    #[arg(long, value_name = "COPIES")]
    flood_rate: Option<u32>,
    /// Treatment of frames to 01:80:c2:00:00:0X, which no bridge forwards [default: drop]
    #[arg(long, value_name = "WHAT")]
    reserved_multicast: Option<ReservedMulticast>,
}

impl RunArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let file = match &self.config {
            Some(path) => Settings::from_file(path)?,
            None => Settings::default(),
        };
        Ok(self.settings()?.over(file).check()?)
    }

    /// The configuration after SIGHUP: reads the file again.
    fn config_again(&self) -> anyhow::Result<Config> {
        if self.config.is_none() {
            bail!("there is no --config file to read again");
        }
        self.config()
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let mut attach = BTreeMap::new();
        for (lport, link) in &self.attach {
            if let Some(first) = attach.insert(lport.clone(), link.clone()) {
                bail!("--attach gives lport {lport} two links, {first} and {link}: a port has one");
            }
        }
        let mut uplinks = BTreeMap::new();
        for (physical, link) in &self.uplink {
            if let Some(first) = uplinks.insert(physical.clone(), link.clone()) {
                bail!("--uplink gives physical network {physical} two links, {first} and {link}: it has one");
            }
        }
        let mut port = BTreeMap::<String, PortSettings>::new();
        for (lport, given) in &self.port {
            let slot = port.entry(lport.clone()).or_default();
            *slot = given.over(*slot);
        }
        Ok(Settings {
            nb: self.nb.clone(),
            chassis: self.chassis.clone(),
            local_ip: self.local_ip,
            workers: self.workers.clone(),
            attach,
            uplinks,
            tunnel_df: self.tunnel_df,
            api: self.api.clone(),
            state: self.state.clone(),
            pin_folder: self.pin_folder.clone(),
            on_worker_panic: self.on_worker_panic,
            umem_mib: self.umem_mib,
            idle: self.idle,
            flood_rate: self.flood_rate,
            quota_connections: None,
            connection_timeouts: None,
            reserved_multicast: self.reserved_multicast,
            port,
            network: BTreeMap::new(),
        })
    }
}

fn attachment(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((lport, link)) if !lport.is_empty() => Ok((lport.to_owned(), link.to_owned())),
        _ => Err("expected LPORT=LINK, an lport's id and a link's name"),
    }
}

fn uplink(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((physical, link)) if !physical.is_empty() => Ok((physical.to_owned(), link.to_owned())),
        _ => Err("expected PHYSNET=LINK, the name of a physical network and a link's name"),
    }
}

fn port_option(text: &str) -> anyhow::Result<(String, PortSettings)> {
    let parts = text.split_once('=').and_then(|(left, value)| Some((left.rsplit_once(':')?, value)));
    let ((lport, key), value) = parts.context("expected LPORT:KEY=VALUE, as in '*:no_socket=pass'")?;
    Ok((lport.to_owned(), PortSettings::from_pair(key, value)?))
}

/// Runs the switch. `RUST_LOG` filters the log (default: `info`).
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let prepared = Prepared::new(args.config()?)?;
    let log = logging::start().context("cannot start the log thread")?;
    let ended = control::run(prepared, &|| args.config_again(), log.loss());
    if let Err(error) = &ended {
        // Through the log thread: stderr itself may block.
        writeln!(log.writer(), "{}", failure(error)).unwrap_or_default();
    }
    log.finish();
    Ok(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
