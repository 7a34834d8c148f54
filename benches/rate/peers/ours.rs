//! `trunkpath run` with its own SQLite database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use nix::unistd::Pid;
use serde_json::Value;

use super::{Lab, Peer};
use crate::bed::Bed;
use crate::bpf::Hook;
use crate::child::Child;
use crate::command::{output, succeed};
use crate::frame::Mac;
use crate::job::{P3, P4, PARENT, subport, vids};
use crate::records::{CHASSIS, network, port, port_id, segmentation};
use crate::threads;

const TRUNKPATH: &str = env!("CARGO_BIN_EXE_trunkpath");

/// Keys of the ports at p1, p3 and p4, with their networks and addresses.
const PORTS: [(usize, u32, u32, Mac); 3] = [(1, 1, 1, PARENT), (3, 3, 2, P3), (4, 4, 2, P4)];

/// The key of the subport with this VID.
fn subport_key(vid: u16) -> u32 {
    0x1_0000 + u32::from(vid)
}

/// A running daemon.
#[derive(Debug)]
pub struct Ours {
    pub daemon: Child,
    files: PathBuf,
    bed: Bed,
}

impl Ours {
    /// Starts one, with more arguments for `trunkpath run`; returns when it forwards.
    pub fn start(lab: &Lab, arguments: &[&str]) -> Result<Self> {
        let bed = Bed::new(&lab.programs, "ours", Hook::Tc)?;
        let files = lab.folder.join(bed.dut.name());
        std::fs::create_dir(&files)?;
        let db = format!("sqlite:{}", files.join("nb.db").display());
        succeed(Command::new(TRUNKPATH).args(["nb", "--nb", &db, "apply", "-"]), &records());
        let mut command = bed.dut.command(TRUNKPATH);
        command.args(["run", "--nb", &db, "--chassis", CHASSIS]).arg("--api").arg(files.join("api.sock"));
        command.arg("--state").arg(files.join("last-good.db"));
        command.args(["--workers", &lab.datapath_cpu.to_string()]).args(arguments);
        for (cable, key, ..) in PORTS {
            command.args(["--attach", &format!("{}=p{cable}", port_id(key))]);
        }
        let daemon = Child::start("ours", &mut command, &files)?;
        let mut ours = Self { daemon, files, bed };
        ours.wait_until_up("ports", PORTS.len())?;
        ours.wait_until_up("subports", vids().count())?;
        Ok(ours)
    }

    fn wait_until_up(&mut self, what: &str, count: usize) -> Result<()> {
        let api = self.files.join("api.sock");
        self.daemon.wait_until(&format!("{count} {what} that are up"), || {
            let mut command = Command::new(TRUNKPATH);
            let answer = output(command.args(["show", what, "--json", "--api"]).arg(&api), "");
            let rows: Value = serde_json::from_slice(&answer.stdout).ok()?;
            let up = rows.as_array()?.iter().filter(|row| row["state"] == "up").count();
            (up == count).then_some(())
        })
    }

    /// `trunkpath stats --json`.
    fn stats(&self) -> Value {
        let api = self.files.join("api.sock");
        let text = succeed(Command::new(TRUNKPATH).args(["stats", "--json", "--api"]).arg(api), "");
        serde_json::from_str(&text).unwrap()
    }
}

impl Peer for Ours {
    fn bed(&self) -> &Bed {
        &self.bed
    }

    fn threads(&self) -> Vec<Pid> {
        threads::named(self.daemon.pid(), "worker-")
    }

    fn drops(&self) -> BTreeMap<String, u64> {
        let stats = self.stats();
        let mut drops = BTreeMap::new();
        for device in stats["devices"].as_array().into_iter().flatten() {
            for socket in device["sockets"].as_array().into_iter().flatten() {
                for counter in ["rx_dropped", "rx_ring_full", "fill_ring_empty"] {
                    let place = format!("socket {} {counter}", device["device"].as_str().unwrap_or("?"));
                    *drops.entry(place).or_default() += socket[counter].as_u64().unwrap_or_default();
                }
            }
        }
        for port in stats["ports"].as_array().into_iter().flatten() {
            for (reason, count) in port["drops"].as_object().into_iter().flatten() {
                *drops.entry(format!("switch {reason}")).or_default() += count.as_u64().unwrap_or_default();
            }
        }
        drops
    }

    fn pause(&self) {
        self.daemon.pause();
    }

    fn resume(&self) {
        self.daemon.resume();
    }
}

/// The cloud of `job.rs`, as lines for `trunkpath nb apply`.
fn records() -> String {
    let ports = PORTS.map(|(cable, key, on, mac)| port(key, on, &format!("p{cable}"), mac, true));
    let subports = vids().flat_map(|vid| {
        let key = subport_key(vid);
        [port(key, 2, "sub", subport(vid), false), segmentation(1, key, vid)]
    });
    let records = [network(1), network(2)].into_iter().chain(ports).chain(subports);
    records.map(|record| record.to_string()).collect::<Vec<_>>().join("\n")
}
