//! Description of the machine, and its CPUs.

use std::fs;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde::Serialize;

use testkit::command::run;

/// Properties of the machine that reports show.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub date: String,
    pub kernel: String,
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: Vec<usize>,
    /// Approximate frequency of the time stamp counter.
    pub mhz: f64,
    pub mode: &'static str,
}

impl Machine {
    /// Reads the properties of this machine.
    pub fn look() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let cpus: Vec<_> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        Ok(Self {
            date: run("date -u +%Y-%m-%d_%H:%M_UTC").trim().replace('_', " "),
            kernel: run("uname -r").trim().to_owned(),
            cpu: field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cpus,
            mhz: field("cpu MHz").and_then(|mhz| mhz.parse().ok()).unwrap_or_default(),
            mode: "veth, native XDP, copy mode",
        })
    }

    /// CPUs of the generator and of the datapath; the same one if there is only one.
    pub fn split(&self) -> Result<(usize, usize)> {
        let generator = *self.cpus.first().context("this process may use no CPU")?;
        Ok((generator, self.cpus.get(1).copied().unwrap_or(generator)))
    }
}

/// Fails with the reason if no traffic can be measured here.
pub fn obstacle() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("namespaces and XDP need root: run scripts/bench as root, or as a user of sudo");
    }
    let probe = format!("tp-test-{}-probe", std::process::id());
    let ip = |verb: &str| std::process::Command::new("ip").args(["netns", verb, &probe]).output();
    match ip("add") {
        Ok(output) if output.status.success() => {
            // The link was only a test.
            drop(ip("delete"));
            Ok(())
        }
        Ok(output) => bail!("`ip netns add` fails: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => bail!("`ip netns`: {error}: scripts/setup bench installs it"),
    }
}
