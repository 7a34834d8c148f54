//! Open vSwitch with its datapath in user space: a separate instance, with the flows that Dragonflow would
//! install.

mod flows;
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use nix::unistd::Pid;

use super::{Context, Peer};
use crate::bpf::Hook;
use crate::child::Child;
use crate::testbed::Testbed;
use crate::threads;

use flows::Zones;
use tools::Tools;

const VSWITCHD: &str = "/usr/lib/openvswitch-switch/ovs-vswitchd";
const VSWITCHD_DPDK: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Type of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    Netdev,
    Afxdp,
    /// The same; ports with security groups share a zone of connections.
    AfxdpOneZone,
    DpdkAfxdp,
    DpdkAfpacket,
}

impl Ports {
    const fn is_dpdk(self) -> bool {
        matches!(self, Self::DpdkAfxdp | Self::DpdkAfpacket)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Netdev => "ovs-netdev",
            Self::Afxdp => "ovs-afxdp",
            Self::AfxdpOneZone => "ovs-one-zone",
            Self::DpdkAfxdp => "ovs-dpdk-afxdp",
            Self::DpdkAfpacket => "ovs-dpdk-afp",
        }
    }

    fn zones(self) -> Zones {
        if self == Self::AfxdpOneZone { Zones::OfNetwork } else { Zones::OfPorts }
    }

    /// Columns of the interface p`number`.
    fn interface(self, number: usize) -> String {
        match self {
            Self::Netdev => String::new(),
            Self::Afxdp | Self::AfxdpOneZone => {
                "type=afxdp options:n_rxq=1 options:xdp-mode=native".to_owned()
            }
            Self::DpdkAfxdp => format!(
                "type=dpdk options:dpdk-devargs=net_af_xdp{number},iface=p{number},start_queue=0,queue_count=1"
            ),
            Self::DpdkAfpacket => {
                format!("type=dpdk options:dpdk-devargs=net_af_packet{number},iface=p{number}")
            }
        }
    }
}

/// An instance and its testbed. Fields are dropped in this order.
#[derive(Debug)]
pub struct Ovs {
    pub vswitchd: Child,
    _ovsdb: Child,
    tools: Tools,
    binary: &'static str,
    threads: Vec<Pid>,
    _dpdk_files: Option<DpdkFiles>,
    testbed: Testbed,
}

impl Ovs {
    /// Starts an instance; returns when all flows are installed.
    pub fn start(context: &Context, ports: Ports) -> Result<Self> {
        let binary = if ports.is_dpdk() { VSWITCHD_DPDK } else { VSWITCHD };
        if !Path::new(binary).exists() {
            bail!("{binary} is not here");
        }
        let testbed = Testbed::new(&context.programs, ports.name(), Hook::Tc)?;
        if !matches!(ports, Ports::Afxdp | Ports::AfxdpOneZone | Ports::DpdkAfxdp) {
            testbed.receive_without_xdp();
        }
        let tools = Tools { folder: context.folder.join(testbed.dut.name()) };
        fs::create_dir(&tools.folder)?;
        let ovsdb = tools.start_ovsdb(&testbed)?;
        let dpdk_files = ports.is_dpdk().then(|| DpdkFiles::new(testbed.dut.name()));
        let prefix = dpdk_files.as_ref().map(|files| files.prefix.as_str());
        tools.configure(context, prefix)?;
        let mut vswitchd = tools.start_vswitchd(&testbed, binary)?;
        tools.add_ports(ports)?;
        tools.add_flows()?;
        if context.tunnel {
            tools.add_tunnel(&testbed, ports)?;
        }
        if context.groups {
            tools.add_groups(ports)?;
        }
        let threads = vswitchd.wait_until("a thread that moves frames", || {
            // Without poll threads, the main thread forwards.
            let prefix = if ports == Ports::Netdev { "ovs-vswitchd" } else { "pmd-" };
            let threads = threads::named(tools.vswitchd_pid()?, prefix);
            (!threads.is_empty()).then_some(threads)
        })?;
        if ports == Ports::Netdev {
            threads.iter().try_for_each(|thread| threads::pin(*thread, context.datapath_cpu))?;
        }
        Ok(Self { vswitchd, _ovsdb: ovsdb, tools, binary, threads, _dpdk_files: dpdk_files, testbed })
    }
}

impl Ovs {
    /// Adds a VID of the parent as a port of network 2.
    pub fn add_subport(&self, vid: u16) -> Result<()> {
        self.tools.ofctl(&["--bundle", "add-flows"], &flows::of_subport(vid))
    }

    /// Removes a VID of the parent.
    pub fn remove_subport(&self, vid: u16) -> Result<()> {
        let lines = flows::of_subport(vid);
        let matches = lines.lines().filter_map(|line| line.split_once(" actions"));
        let lines: Vec<_> = matches.map(|(flow, _)| format!("delete_strict {flow}\n")).collect();
        self.tools.ofctl(&["--bundle", "add-flows"], &lines.concat())
    }

    /// Restarts the switch; its ports come from its database, its flows from the bench. Returns the time of
    /// the start.
    pub fn restart(&mut self) -> Result<Instant> {
        self.tools.appctl(&["exit"])?;
        self.vswitchd.wait()?;
        let exec = Instant::now();
        self.vswitchd = self.tools.start_vswitchd(&self.testbed, self.binary)?;
        let bridge = self.tools.path("br0.mgmt");
        self.vswitchd.wait_until("its bridge", || Path::new(&bridge).exists().then_some(()))?;
        self.tools.add_flows()?;
        Ok(exec)
    }
}

impl Peer for Ovs {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        self.threads.clone()
    }

    fn drops(&self) -> BTreeMap<String, u64> {
        let stats = self.tools.run("ovs-vsctl", &["--columns=name,statistics", "list", "interface"]);
        let mut drops = BTreeMap::new();
        for part in stats.unwrap_or_default().split([',', '{', '}', ' ']) {
            if let Some((name, value)) = part.split_once('=')
                && (name.contains("drop") || name.contains("err"))
            {
                *drops.entry(format!("ovs {name}")).or_default() += value.trim().parse::<u64>().unwrap_or(0);
            }
        }
        drops
    }

    fn busy_cycles(&self) -> Option<f64> {
        let text = self.tools.appctl(&["dpif-netdev/pmd-stats-show"]).ok()?;
        self.tools.appctl(&["dpif-netdev/pmd-stats-clear"]).ok()?;
        let line = text.lines().find(|line| line.contains("avg processing cycles per packet"))?;
        line.split_once(": ")?.1.split_whitespace().next()?.parse().ok()
    }

    fn pause(&self) {
        self.vswitchd.pause();
    }

    fn resume(&self) {
        self.vswitchd.resume();
    }
}

/// Files of DPDK in /var/run, deleted when dropped.
#[derive(Debug)]
pub struct DpdkFiles {
    pub prefix: String,
}

impl DpdkFiles {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }
}

impl Drop for DpdkFiles {
    fn drop(&mut self) {
        // There may be none.
        drop(fs::remove_dir_all(Path::new("/var/run/dpdk").join(&self.prefix)));
    }
}
