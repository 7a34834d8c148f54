//! `trunkpath run`: the daemon.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

use super::output::printable;
use crate::config::{
    Config, DEFAULT_API, DEFAULT_PIN_FOLDER, DEFAULT_STATE, IdleMode, OnWorkerPanic, PortSettings, Settings,
};
use crate::control;
use crate::nb::DEFAULT_URL;

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
    /// Copies a second that one guest's broadcasts and multicasts may come to, for each worker; 0: any number
    /// [default: 100000]
    #[arg(long, value_name = "COPIES")]
    flood_rate: Option<u32>,
}

impl RunArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let file = match &self.config {
            Some(path) => Settings::from_file(path)?,
            None => Settings::default(),
        };
        Ok(self.settings()?.over(file).check()?)
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

/// Runs the command. The log goes to stderr; `RUST_LOG` says how much of it (default: `info`).
pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_writer(stderr).with_ansi(colours).with_env_filter(filter);
    log.fmt_fields(one_line()).init();
    Ok(control::run(config)?)
}

/// Writes what a log line says with everything escaped that would end the line or do something to a terminal: guests and
/// tenants choose some of the words.
fn one_line() -> impl for<'writer> FormatFields<'writer> + 'static {
    let fields = debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", printable(&text)),
            name => write!(writer, "{name}={}", printable(&text)),
        }
    });
    fields.delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_stays_one_line_whatever_it_says() {
        let evil = "a\x1b[2J\nERROR all is lost \u{202e}\u{9b}1m";
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        tracing::subscriber::with_default(subscriber.fmt_fields(one_line()).finish(), || {
            tracing::warn!(device = evil, reason = %evil, "cannot use {evil}");
        });
        let said = String::from_utf8(log.0.lock().clone()).unwrap();
        assert_eq!((said.lines().count(), said.ends_with('\n')), (1, true), "{said:?}");
        assert!(!said.trim_end().chars().any(|found| found.is_control() || found == '\u{202e}'), "{said:?}");
        let name = "a\\u{1b}[2J\\nERROR all is lost \\u{202e}\\u{9b}1m";
        for part in [format!("cannot use {name}"), format!("device=\"{name}\""), format!("reason={name}")] {
            assert!(said.contains(&part), "{part}: {said}");
        }
    }
}
