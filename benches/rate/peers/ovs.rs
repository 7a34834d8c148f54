//! Open vSwitch with its datapath in user space: an instance of our own, with the flows that Dragonflow would install.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use nix::unistd::Pid;

use super::{Lab, Peer, subport_key};
use crate::bed::Bed;
use crate::bpf::Hook;
use crate::child::Child;
use crate::command::output;
use crate::job::{P3, P4, subport, vids};
use crate::records::text;
use crate::threads;

const VSWITCHD: &str = "/usr/lib/openvswitch-switch/ovs-vswitchd";
const VSWITCHD_DPDK: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// How the devices are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    Netdev,
    Afxdp,
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
            Self::DpdkAfxdp => "ovs-dpdk-afxdp",
            Self::DpdkAfpacket => "ovs-dpdk-afp",
        }
    }

    /// The columns of the interface p`number`.
    fn interface(self, number: usize) -> String {
        match self {
            Self::Netdev => String::new(),
            Self::Afxdp => "type=afxdp options:n_rxq=1 options:xdp-mode=native".to_owned(),
            Self::DpdkAfxdp => format!(
                "type=dpdk options:dpdk-devargs=net_af_xdp{number},iface=p{number},start_queue=0,queue_count=1"
            ),
            Self::DpdkAfpacket => {
                format!("type=dpdk options:dpdk-devargs=net_af_packet{number},iface=p{number}")
            }
        }
    }
}

/// A running instance. Fields are dropped in this order.
#[derive(Debug)]
pub struct Ovs {
    pub vswitchd: Child,
    _ovsdb: Child,
    tools: Tools,
    binary: &'static str,
    threads: Vec<Pid>,
    _dpdk_files: Option<DpdkFiles>,
    bed: Bed,
}

impl Ovs {
    /// Starts one; returns when all flows are in.
    pub fn start(lab: &Lab, ports: Ports) -> Result<Self> {
        let binary = if ports.is_dpdk() { VSWITCHD_DPDK } else { VSWITCHD };
        if !Path::new(binary).exists() {
            bail!("{binary} is not here");
        }
        let bed = Bed::new(&lab.programs, ports.name(), Hook::Tc)?;
        if !matches!(ports, Ports::Afxdp | Ports::DpdkAfxdp) {
            bed.receive_without_xdp();
        }
        let tools = Tools { folder: lab.folder.join(bed.dut.name()) };
        fs::create_dir(&tools.folder)?;
        let ovsdb = tools.start_ovsdb(&bed)?;
        let dpdk_files = ports.is_dpdk().then(|| DpdkFiles::new(bed.dut.name()));
        let prefix = dpdk_files.as_ref().map(|files| files.prefix.as_str());
        tools.configure(lab, prefix)?;
        let mut vswitchd = tools.start_vswitchd(&bed, binary)?;
        tools.add_ports(ports)?;
        tools.add_flows()?;
        let threads = vswitchd.wait_until("a thread that moves frames", || {
            // Without a thread of its own for each core, the main thread does it.
            let prefix = if ports == Ports::Netdev { "ovs-vswitchd" } else { "pmd-" };
            let threads = threads::named(vswitchd_pid(&tools)?, prefix);
            (!threads.is_empty()).then_some(threads)
        })?;
        if ports == Ports::Netdev {
            threads.iter().try_for_each(|thread| threads::pin(*thread, lab.datapath_cpu))?;
        }
        Ok(Self { vswitchd, _ovsdb: ovsdb, tools, binary, threads, _dpdk_files: dpdk_files, bed })
    }
}

impl Ovs {
    /// Makes a VID of the trunk a port of network 2.
    pub fn add_subport(&self, vid: u16) -> Result<()> {
        self.tools.ofctl(&["--bundle", "add-flows"], &subport_flows(vid))
    }

    /// No longer.
    pub fn remove_subport(&self, vid: u16) -> Result<()> {
        let lines = subport_flows(vid);
        let matches = lines.lines().filter_map(|line| line.split_once(" actions"));
        let lines: Vec<_> = matches.map(|(flow, _)| format!("delete_strict {flow}\n")).collect();
        self.tools.ofctl(&["--bundle", "add-flows"], &lines.concat())
    }

    /// Ends the switch and starts it again; its ports come from its database, its flows from us. Returns when it was
    /// started.
    pub fn restart(&mut self) -> Result<Instant> {
        self.tools.appctl(&["exit"])?;
        self.vswitchd.wait()?;
        let exec = Instant::now();
        self.vswitchd = self.tools.start_vswitchd(&self.bed, self.binary)?;
        let bridge = self.tools.path("br0.mgmt");
        self.vswitchd.wait_until("its bridge", || Path::new(&bridge).exists().then_some(()))?;
        self.tools.add_flows()?;
        Ok(exec)
    }
}

impl Peer for Ovs {
    fn bed(&self) -> &Bed {
        &self.bed
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

/// The files of an instance, and the commands that speak with it.
#[derive(Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn db(&self) -> String {
        format!("unix:{}", self.path("db.sock"))
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.env("OVS_RUNDIR", &self.folder);
        if program == "ovs-vsctl" {
            command.arg(format!("--db={}", self.db())).arg("--timeout=15");
        }
        let output = output(command.args(arguments), "");
        if !output.status.success() {
            bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn vsctl(&self, line: &str) -> Result<String> {
        self.run("ovs-vsctl", &line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>())
    }

    fn appctl(&self, arguments: &[&str]) -> Result<String> {
        let target = self.path("vswitchd.ctl");
        self.run("ovs-appctl", &[&["-t", &target], arguments].concat())
    }

    fn start_ovsdb(&self, bed: &Bed) -> Result<Child> {
        let db = self.path("conf.db");
        self.run("ovsdb-tool", &["create", &db, SCHEMA])?;
        let mut command = bed.dut.command("ovsdb-server");
        command.env("OVS_RUNDIR", &self.folder).arg(&db).arg(format!("--remote=p{}", self.db()));
        command.args([&format!("--unixctl={}", self.path("ovsdb.ctl")), "--no-chdir"]);
        let mut ovsdb = Child::start("ovsdb-server", &mut command, &self.folder)?;
        ovsdb.wait_until("its socket", || self.folder.join("db.sock").exists().then_some(()))?;
        Ok(ovsdb)
    }

    /// `dpdk` is the prefix of DPDK's files.
    fn configure(&self, lab: &Lab, dpdk: Option<&str>) -> Result<()> {
        self.vsctl("--no-wait init")?;
        let mask = 1_u64 << lab.datapath_cpu;
        self.vsctl(&format!("--no-wait set Open_vSwitch . other_config:pmd-cpu-mask={mask:#x}"))?;
        let Some(prefix) = dpdk else { return Ok(()) };
        let main = 1_u64 << lab.generator_cpu;
        // Without huge pages, so that a run asks nothing of the machine. `--legacy-mem` keeps OVS from adding
        // `--in-memory`, which does not go with `--no-huge`.
        let extra = format!("\"--no-huge --legacy-mem --no-pci -m 1024 --file-prefix={prefix}\"");
        let set = ["--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true"];
        let mask = format!("other_config:dpdk-lcore-mask={main:#x}");
        self.run("ovs-vsctl", &[&set[..], &[&mask, &format!("other_config:dpdk-extra={extra}")]].concat())?;
        Ok(())
    }

    /// Starts the switch, on what is in its database.
    fn start_vswitchd(&self, bed: &Bed, binary: &str) -> Result<Child> {
        let mut command = bed.dut.command(binary);
        command.env("OVS_RUNDIR", &self.folder).arg(self.db()).arg("--no-chdir");
        command.arg(format!("--pidfile={}", self.path("vswitchd.pid")));
        command.arg(format!("--unixctl={}", self.path("vswitchd.ctl")));
        let mut vswitchd = Child::start("ovs-vswitchd", &mut command, &self.folder)?;
        vswitchd.wait_until("its socket", || self.folder.join("vswitchd.ctl").exists().then_some(()))?;
        Ok(vswitchd)
    }

    fn add_ports(&self, ports: Ports) -> Result<()> {
        // Secure: without it every frame that meets no flow is flooded.
        self.vsctl(
            "add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure protocols=OpenFlow10,OpenFlow13",
        )?;
        for number in [1, 3, 4] {
            let columns = ports.interface(number);
            self.vsctl(&format!(
                "add-port br0 p{number} -- set interface p{number} ofport_request={number} {columns}"
            ))?;
        }
        let errors = self.vsctl("--bare --columns=error list interface")?;
        if !errors.trim().is_empty() {
            bail!("{}", errors.trim());
        }
        Ok(())
    }

    fn add_flows(&self) -> Result<()> {
        self.ofctl(&["add-flows"], &flows())
    }

    /// Hands flows, a line each, to `ovs-ofctl`.
    fn ofctl(&self, arguments: &[&str], flows: &str) -> Result<()> {
        let file = self.path("flows");
        fs::write(&file, flows)?;
        let bridge = format!("unix:{}", self.path("br0.mgmt"));
        self.run("ovs-ofctl", &[&["-O", "OpenFlow13"], arguments, &[&bridge, &file]].concat())?;
        Ok(())
    }
}

fn vswitchd_pid(tools: &Tools) -> Option<Pid> {
    Some(Pid::from_raw(fs::read_to_string(tools.path("vswitchd.pid")).ok()?.trim().parse().ok()?))
}

/// Classify, destination, dispatch: tables 0, 1 and 2, with the source's network in `metadata` and the destination in
/// `reg7`.
fn flows() -> String {
    let mut flows =
        String::from("table=0,priority=100,in_port=1 actions=set_field:1->metadata,goto_table:1\n");
    for (key, mac) in [(3, P3), (4, P4)] {
        let mac = text(mac);
        flows += &format!(
            "table=0,priority=100,in_port={key} actions=set_field:2->metadata,goto_table:1\n\
             table=1,metadata=2,dl_dst={mac} actions=set_field:{key}->reg7,goto_table:2\n\
             table=2,reg7={key} actions=output:{key}\n"
        );
    }
    vids().for_each(|vid| flows += &subport_flows(vid));
    flows
}

fn subport_flows(vid: u16) -> String {
    let (key, mac, tci) = (subport_key(vid), text(subport(vid)), 0x1000 | vid);
    format!(
        "table=0,priority=150,in_port=1,dl_vlan={vid} actions=pop_vlan,set_field:2->metadata,goto_table:1\n\
         table=1,metadata=2,dl_dst={mac} actions=set_field:{key}->reg7,goto_table:2\n\
         table=2,reg7={key} actions=push_vlan:0x8100,set_field:{tci}->vlan_vid,output:1\n"
    )
}

/// What DPDK leaves in /var/run.
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
        // It may have left none.
        drop(fs::remove_dir_all(Path::new("/var/run/dpdk").join(&self.prefix)));
    }
}
