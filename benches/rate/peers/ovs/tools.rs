//! Files of an instance, and the commands that configure it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::Pid;

use super::{Ports, SCHEMA, flows};
use crate::child::Child;
use crate::job::UNDERLAY;
use crate::peers::Context;
use crate::testbed::Testbed;
use crate::underlay::{HERE, THERE, VNI, endpoint};
use testkit::command::output;
use testkit::records::text;

/// `OpenFlow` port of the tunnel.
const TUNNEL: u32 = 5;

/// An instance of Open vSwitch in a folder.
#[derive(Debug)]
pub struct Tools {
    pub folder: PathBuf,
}

impl Tools {
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn db(&self) -> String {
        format!("unix:{}", self.path("db.sock"))
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
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

    pub fn vsctl(&self, line: &str) -> Result<String> {
        self.run("ovs-vsctl", &line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>())
    }

    pub fn appctl(&self, arguments: &[&str]) -> Result<String> {
        let target = self.path("vswitchd.ctl");
        self.run("ovs-appctl", &[&["-t", &target], arguments].concat())
    }

    pub fn start_ovsdb(&self, testbed: &Testbed) -> Result<Child> {
        let db = self.path("conf.db");
        self.run("ovsdb-tool", &["create", &db, SCHEMA])?;
        let mut command = testbed.dut.command("ovsdb-server");
        command.env("OVS_RUNDIR", &self.folder).arg(&db).arg(format!("--remote=p{}", self.db()));
        command.args([&format!("--unixctl={}", self.path("ovsdb.ctl")), "--no-chdir"]);
        let mut ovsdb = Child::start("ovsdb-server", &mut command, &self.folder)?;
        ovsdb.wait_until("its socket", || self.folder.join("db.sock").exists().then_some(()))?;
        Ok(ovsdb)
    }

    /// Writes the configuration. `dpdk` is the prefix of DPDK's files.
    pub fn configure(&self, context: &Context, dpdk: Option<&str>) -> Result<()> {
        self.vsctl("--no-wait init")?;
        let mask = 1_u64 << context.datapath_cpu;
        self.vsctl(&format!("--no-wait set Open_vSwitch . other_config:pmd-cpu-mask={mask:#x}"))?;
        let Some(prefix) = dpdk else { return Ok(()) };
        let main = 1_u64 << context.generator_cpu;
        // Without huge pages, so that a run needs no setup of the machine. `--legacy-mem` keeps OVS from
        // adding `--in-memory`, which excludes `--no-huge`.
        let extra = format!("\"--no-huge --legacy-mem --no-pci -m 1024 --file-prefix={prefix}\"");
        let set = ["--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true"];
        let mask = format!("other_config:dpdk-lcore-mask={main:#x}");
        self.run("ovs-vsctl", &[&set[..], &[&mask, &format!("other_config:dpdk-extra={extra}")]].concat())?;
        Ok(())
    }

    /// Starts the switch with its database.
    pub fn start_vswitchd(&self, testbed: &Testbed, binary: &str) -> Result<Child> {
        let mut command = testbed.dut.command(binary);
        command.env("OVS_RUNDIR", &self.folder).arg(self.db()).arg("--no-chdir");
        command.arg(format!("--pidfile={}", self.path("vswitchd.pid")));
        command.arg(format!("--unixctl={}", self.path("vswitchd.ctl")));
        let mut vswitchd = Child::start("ovs-vswitchd", &mut command, &self.folder)?;
        vswitchd.wait_until("its socket", || self.folder.join("vswitchd.ctl").exists().then_some(()))?;
        Ok(vswitchd)
    }

    pub fn add_ports(&self, ports: Ports) -> Result<()> {
        // Fail mode secure: otherwise every frame without a flow is flooded.
        self.vsctl(
            "add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure protocols=OpenFlow10,OpenFlow13",
        )?;
        [1, 3, 4].into_iter().try_for_each(|number| self.add_port(ports, number))?;
        self.check_interfaces()
    }

    fn add_port(&self, ports: Ports, number: usize) -> Result<()> {
        let columns = ports.interface(number);
        self.vsctl(&format!(
            "add-port br0 p{number} -- set interface p{number} ofport_request={number} {columns}"
        ))?;
        Ok(())
    }

    /// Adds the ports with security groups.
    pub fn add_groups(&self, ports: Ports) -> Result<()> {
        self.add_port(ports, 2)?;
        self.check_interfaces()?;
        self.ofctl(&["add-flows"], &flows::of_groups(ports.zones()))
    }

    /// Adds a tunnel to the other host. The datapath terminates it at the address of a bridge, br-phy, and
    /// does not use the kernel's neighbours.
    pub fn add_tunnel(&self, testbed: &Testbed, ports: Ports) -> Result<()> {
        let (here, there) = (text(HERE.mac), text(THERE.mac));
        let (local, remote, columns) = (HERE.ip, THERE.ip, ports.interface(UNDERLAY));
        self.vsctl(&format!(
            "add-br br-phy -- set bridge br-phy datapath_type=netdev fail_mode=secure other_config:hwaddr={here} \
             -- add-port br-phy p0 -- set interface p0 ofport_request=1 {columns} \
             -- add-port br0 tun0 -- set interface tun0 type=geneve ofport_request={TUNNEL} \
             options:local_ip={local} options:remote_ip={remote} options:key={VNI}"
        ))?;
        self.check_interfaces()?;
        testbed.dut.ip_batch(&endpoint("br-phy"));
        self.appctl(&["tnl/neigh/set", "br-phy", &remote.to_string(), &there])?;
        let bridge = format!("unix:{}", self.path("br-phy.mgmt"));
        for flow in ["in_port=1,actions=LOCAL", "in_port=LOCAL,actions=1"] {
            self.run("ovs-ofctl", &["add-flow", &bridge, flow])?;
        }
        self.ofctl(&["add-flows"], &flows::of_tunnel(TUNNEL))
    }

    fn check_interfaces(&self) -> Result<()> {
        let errors = self.vsctl("--bare --columns=error list interface")?;
        if !errors.trim().is_empty() {
            bail!("{}", errors.trim());
        }
        Ok(())
    }

    pub fn add_flows(&self) -> Result<()> {
        self.ofctl(&["add-flows"], &flows::all())
    }

    /// Runs `ovs-ofctl` with flows on stdin, one per line.
    pub fn ofctl(&self, arguments: &[&str], flows: &str) -> Result<()> {
        let file = self.path("flows");
        fs::write(&file, flows)?;
        let bridge = format!("unix:{}", self.path("br0.mgmt"));
        self.run("ovs-ofctl", &[&["-O", "OpenFlow13"], arguments, &[&bridge, &file]].concat())?;
        Ok(())
    }

    pub fn vswitchd_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path("vswitchd.pid")).ok()?;
        Some(Pid::from_raw(text.trim().parse().ok()?))
    }
}
