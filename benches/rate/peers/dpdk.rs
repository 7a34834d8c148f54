//! testpmd, the forwarder of DPDK. Only `net_af_packet` lets it strip or insert a tag, one of them at a time.

use std::fs;

use anyhow::Result;
use nix::unistd::Pid;

use super::ovs::DpdkFiles;
use super::{Context, Peer};
use crate::bpf::Hook;
use crate::child::Child;
use crate::job::ONE_VID;
use crate::testbed::Testbed;
use crate::threads;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Strip,
    Insert,
}

/// A testpmd and its testbed.
#[derive(Debug)]
pub struct Testpmd {
    process: Child,
    threads: Vec<Pid>,
    _files: DpdkFiles,
    testbed: Testbed,
}

impl Testpmd {
    /// Starts testpmd; returns when it forwards.
    pub fn start(context: &Context, work: Work) -> Result<Self> {
        let testbed =
            Testbed::new(&context.programs, if work == Work::Strip { "strip" } else { "insert" }, Hook::Tc)?;
        testbed.receive_without_xdp();
        let files = DpdkFiles::new(testbed.dut.name());
        let commands = context.folder.join(format!("{}.cmd", files.prefix));
        // `io` never tags a frame; `mac` does, and rewrites the addresses.
        let insert = format!("port stop all\ntx_vlan set 0 {ONE_VID}\nport start all\n");
        let insert = if work == Work::Insert { insert } else { String::new() };
        fs::write(&commands, format!("set fwd mac\n{insert}start\nshow fwd stats all\n"))?;

        // Line-buffered output, which shows when it is ready.
        let mut command = testbed.dut.command("stdbuf");
        command.args(["--output=L", "dpdk-testpmd"]);
        let cpus = format!("{},{}", context.generator_cpu, context.datapath_cpu);
        command.args(["-l", &cpus, "--main-lcore", &context.generator_cpu.to_string()]);
        command.args(["--no-huge", "-m", "512", "--no-pci", "--file-prefix", &files.prefix]);
        command.args(["--vdev", "net_af_packet0,iface=p1", "--vdev", "net_af_packet1,iface=p3", "--"]);
        command.args(["-i", "--total-num-mbufs=16384", "--nb-cores=1", "--portmask=0x3", "--no-mlockall"]);
        if work == Work::Strip {
            command.arg("--enable-hw-vlan-strip");
        }
        command.arg(format!("--cmdline-file={}", commands.display()));
        let mut process = Child::start(&files.prefix, &mut command, &context.folder)?;
        process.wait_for_log("Accumulated forward statistics")?;
        let threads =
            [threads::named(process.pid(), "dpdk-worker"), threads::named(process.pid(), "lcore-worker")];
        Ok(Self { process, threads: threads.concat(), _files: files, testbed })
    }
}

impl Peer for Testpmd {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        self.threads.clone()
    }

    fn pause(&self) {
        self.process.pause();
    }

    fn resume(&self) {
        self.process.resume();
    }
}
