//! `trunkpath run`: the daemon.

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

const PORT_HELP: &str = "An option of a port, or of all (*): no_socket=drop|pass, allow_generic=true|false, \
                         complete_checksums=true|false, unknown_tags=pass|drop; repeatable";

/// Options of `trunkpath run`. Each is also a key of the config file, and goes before it.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A TOML file with these options as keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "URL", help = format!("The northbound DB [default: {DEFAULT_URL}]"))]
    nb: Option<String>,
    /// Our name in the northbound DB [default: the host name]
    #[arg(long, value_name = "NAME")]
    chassis: Option<String>,
    /// Where other hosts send to us, for our chassis record [default: the address of the default route]
    #[arg(long, value_name = "IP")]
    local_ip: Option<IpAddr>,
    /// CPUs as in 1-3,6, one worker each [default: one worker on the last CPU]
    #[arg(long, value_name = "CPUS")]
    workers: Option<String>,
    /// The device of a port that neither its alias nor its name tells; repeatable
    #[arg(long, value_name = "LPORT=DEV", value_parser = attachment)]
    attach: Vec<(String, String)>,
    #[arg(long, value_name = "LPORT:KEY=VALUE", value_parser = port_option, help = PORT_HELP)]
    port: Vec<(String, PortSettings)>,
    #[arg(long, value_name = "SOCKET", help = format!("Where to answer show, stats and trace [default: {DEFAULT_API}]"))]
    api: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = format!("Where the records of etcd or redis are kept for a start without it [default: {DEFAULT_STATE}]"))]
    state: Option<PathBuf>,
    #[arg(long, value_name = "DIR", help = format!("Where, in a bpffs, programs are pinned that drop frames after a kill [default: {DEFAULT_PIN_FOLDER}]"))]
    pin_folder: Option<PathBuf>,
    /// Start a worker again that panicked, or exit with an error [default: restart]
    #[arg(long, value_name = "WHAT")]
    on_worker_panic: Option<OnWorkerPanic>,
    /// Memory for frames, in MiB [default: 256]
    #[arg(long, value_name = "MIB")]
    umem_mib: Option<u32>,
    /// What workers do when nothing comes [default: adaptive]
    #[arg(long, value_name = "MODE")]
    idle: Option<IdleMode>,
    /// Frames a second that one guest may cause beyond those it sends (copies of floods, surplus segments), for each
    /// worker; 0: any number [default: 100000]
    #[arg(long, value_name = "COPIES")]
    flood_rate: Option<u32>,
    /// Frames that no bridge forwards, to 01:80:c2:00:00:0X [default: drop]
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

    /// The configuration as it is now, for a switch that runs.
    fn config_again(&self) -> anyhow::Result<Config> {
        if self.config.is_none() {
            bail!("there is no --config file to read again");
        }
        self.config()
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let mut attach = BTreeMap::new();
        for (lport, device) in &self.attach {
            if let Some(first) = attach.insert(lport.clone(), device.clone()) {
                bail!("--attach gives lport {lport} two devices, {first} and {device}: a port has one");
            }
        }
        let mut port = BTreeMap::<String, PortSettings>::new();
        for (lport, said) in &self.port {
            let slot = port.entry(lport.clone()).or_default();
            *slot = said.over(*slot);
        }
        Ok(Settings {
            nb: self.nb.clone(),
            chassis: self.chassis.clone(),
            local_ip: self.local_ip,
            workers: self.workers.clone(),
            attach,
            api: self.api.clone(),
            state: self.state.clone(),
            pin_folder: self.pin_folder.clone(),
            on_worker_panic: self.on_worker_panic,
            umem_mib: self.umem_mib,
            idle: self.idle,
            flood_rate: self.flood_rate,
            reserved_multicast: self.reserved_multicast,
            port,
            network: BTreeMap::new(),
        })
    }
}

fn attachment(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((lport, device)) if !lport.is_empty() => Ok((lport.to_owned(), device.to_owned())),
        _ => Err("expected LPORT=DEV, an lport's id and a device's name"),
    }
}

fn port_option(text: &str) -> anyhow::Result<(String, PortSettings)> {
    let parts = text.split_once('=').and_then(|(left, value)| Some((left.rsplit_once(':')?, value)));
    let ((lport, key), value) = parts.context("expected LPORT:KEY=VALUE, as in '*:no_socket=pass'")?;
    Ok((lport.to_owned(), PortSettings::from_pair(key, value)?))
}

/// Runs the command. `RUST_LOG` filters the log (default: `info`).
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let prepared = Prepared::new(args.config()?)?;
    let log = logging::start().context("cannot start the log thread")?;
    let ended = control::run(prepared, &|| args.config_again(), log.loss());
    if let Err(error) = &ended {
        // Not to stderr itself, which may block.
        writeln!(log.writer(), "{}", failure(error)).unwrap_or_default();
    }
    log.finish();
    Ok(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
