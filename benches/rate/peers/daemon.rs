//! `trunkpath run` with an embedded NB DB.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{Context, Peer};
use crate::bpf::Hook;
use crate::child::Child;
use crate::frames::{CLIENT, SERVER, SERVER_PORT};
use crate::job::{FILTERED_VID, P2, P3, P4, PARENT, subport, vids};
use crate::testbed::{CABLES, Testbed};
use crate::threads;
use crate::underlay;
use testkit::command::{output, succeed};
use testkit::frame::Mac;
use testkit::records::{CHASSIS, network, port, port_id, segmentation};

const TRUNKPATH: &str = env!("CARGO_BIN_EXE_trunkpath");

/// `unique_key` of the parent; that of any port is the number of its cable.
pub const PARENT_KEY: u32 = 1;
/// `unique_key` of network 2.
pub const NETWORK: u32 = 2;

/// `unique_key` of the subport with this VID.
pub fn subport_key(vid: u16) -> u32 {
    0x1_0000 + u32::from(vid)
}

/// A running daemon, and its command line for a restart.
#[derive(Debug)]
pub struct Trunkpath {
    pub daemon: Child,
    command: Launch,
    ports: usize,
    testbed: Testbed,
}

/// Options of a daemon.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Number of ports, one per cable; at least the two with traffic.
    pub ports: usize,
    /// Value of the option `--workers`.
    pub workers: String,
    /// Further arguments for `trunkpath run`.
    pub arguments: Vec<String>,
    /// Whether it has a tunnel to the other host.
    pub tunnel: bool,
    /// Whether p2 and a subport have security groups.
    pub groups: bool,
}

impl Setup {
    /// One worker, and the ports of every testbed.
    pub fn new(context: &Context) -> Self {
        let workers = context.datapath_cpu.to_string();
        let (tunnel, groups) = (context.tunnel, context.groups);
        Self { ports: CABLES, workers, arguments: Vec::new(), tunnel, groups }
    }

    /// VIDs of the parent.
    fn vids(&self) -> impl Iterator<Item = u16> {
        vids().chain(self.groups.then_some(FILTERED_VID))
    }
}

impl Trunkpath {
    /// Starts a daemon; returns when it forwards.
    pub fn start(context: &Context, setup: &Setup) -> Result<Self> {
        let testbed =
            Testbed::with_cables(&context.programs, "trunkpath", Hook::Tc, setup.ports.max(CABLES))?;
        let files = context.folder.join(testbed.dut.name());
        std::fs::create_dir(&files)?;
        let command = Launch { files, setup: setup.clone() };
        succeed(Command::new(TRUNKPATH).args(["nb", "--nb", &command.db(), "apply", "-"]), &records(setup));
        if setup.tunnel {
            testbed.dut.ip_batch(&underlay::endpoint("p0"));
        }
        let daemon = command.launch(&testbed)?;
        let mut trunkpath = Self { daemon, command, ports: setup.ports, testbed };
        trunkpath.wait_until_up()?;
        Ok(trunkpath)
    }

    /// Waits until every port and subport is served, and the tunnel has a path.
    pub fn wait_until_up(&mut self) -> Result<()> {
        let api = self.command.api();
        for (what, count) in [("ports", self.ports), ("subports", self.command.setup.vids().count())] {
            self.daemon.wait_until(&format!("{count} {what} that are up"), || {
                let rows = show(&api, what)?;
                let up = rows.as_array()?.iter().filter(|row| row["state"] == "up").count();
                (up == count).then_some(())
            })?;
        }
        if self.command.setup.tunnel {
            self.daemon.wait_until("a path to the other host", || {
                let (peers, uplinks) = (show(&api, "peers")?, show(&api, "uplinks")?);
                let has_path = !peers[0]["paths"].as_array()?.is_empty();
                (has_path && uplinks[0]["queues"].as_u64()? > 0).then_some(())
            })?;
        }
        Ok(())
    }

    /// Starts it again after it was stopped.
    pub fn start_again(&mut self) -> Result<()> {
        self.daemon = self.command.launch(&self.testbed)?;
        Ok(())
    }

    /// URL of its NB DB.
    pub fn db(&self) -> String {
        self.command.db()
    }

    /// Output of `trunkpath stats --json`.
    fn stats(&self) -> Value {
        let text =
            succeed(Command::new(TRUNKPATH).args(["stats", "--json", "--api", &self.command.api()]), "");
        serde_json::from_str(&text).unwrap()
    }
}

/// Output of `trunkpath show WHAT --json`; `None` while the API does not answer.
fn show(api: &str, what: &str) -> Option<Value> {
    let answer = output(Command::new(TRUNKPATH).args(["show", what, "--json", "--api", api]), "");
    serde_json::from_slice(&answer.stdout).ok()
}

/// Files of a daemon and its command line.
#[derive(Debug)]
struct Launch {
    files: PathBuf,
    setup: Setup,
}

impl Launch {
    fn db(&self) -> String {
        format!("sqlite:{}", self.files.join("nb.db").display())
    }

    fn api(&self) -> String {
        self.files.join("api.sock").display().to_string()
    }

    fn launch(&self, testbed: &Testbed) -> Result<Child> {
        let mut command = testbed.dut.command(TRUNKPATH);
        command.args(["run", "--nb", &self.db(), "--chassis", CHASSIS, "--api", &self.api()]);
        command.arg("--state").arg(self.files.join("last-good.db"));
        command.args(["--workers", &self.setup.workers]).args(&self.setup.arguments);
        if self.setup.tunnel {
            command.args(["--local-ip", &underlay::HERE.ip.to_string()]);
        }
        for cable in cables(self.setup.ports) {
            command.args(["--attach", &format!("{}=p{cable}", port_id(cable))]);
        }
        Child::start("trunkpath", &mut command, &self.files)
    }
}

/// Cables of the first `count` ports; those with traffic come first.
fn cables(count: usize) -> impl Iterator<Item = u32> {
    [1, 3, 4, 2].into_iter().chain(5..).take(count)
}

impl Peer for Trunkpath {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        threads::named(self.daemon.pid(), "worker-")
    }

    fn drops(&self) -> BTreeMap<String, u64> {
        let stats = self.stats();
        let mut drops = BTreeMap::new();
        for link in stats["links"].as_array().into_iter().flatten() {
            for socket in link["sockets"].as_array().into_iter().flatten() {
                for counter in ["rx_dropped", "rx_ring_full", "fill_ring_empty"] {
                    let place = format!("socket {} {counter}", link["link"].as_str().unwrap_or("?"));
                    *drops.entry(place).or_default() += socket[counter].as_u64().unwrap_or_default();
                }
            }
        }
        let rows = ["outside", "ports"].map(|part| stats[part].as_array().into_iter().flatten());
        for row in rows.into_iter().flatten() {
            for (reason, count) in row["drops"].as_object().into_iter().flatten() {
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

/// Records for the ports of `job.rs`, as lines for `trunkpath nb apply`. Ports on further cables are on
/// network 1.
fn records(setup: &Setup) -> String {
    let ports = cables(setup.ports).map(|cable| {
        let (network, mac): (u32, Mac) = match cable {
            PARENT_KEY => (1, PARENT),
            2 => (NETWORK, P2),
            3 => (NETWORK, P3),
            4 => (NETWORK, P4),
            other => {
                let [.., high, low] = other.to_be_bytes();
                (1, [0xfa, 0x16, 0x3e, 0x02, high, low])
            }
        };
        port(cable, network, &format!("p{cable}"), mac, true)
    });
    let subports = setup.vids().flat_map(|vid| {
        let key = subport_key(vid);
        [port(key, NETWORK, "sub", subport(vid), false), segmentation(PARENT_KEY, key, vid)]
    });
    let networks = if setup.tunnel {
        [vec![network(1)], underlay::records(NETWORK).to_vec()].concat()
    } else {
        vec![network(1), network(NETWORK)]
    };
    let mut records: Vec<_> = networks.into_iter().chain(ports).chain(subports).collect();
    if setup.groups {
        filter(&mut records, subport_key(FILTERED_VID), CLIENT, "egress");
        filter(&mut records, 2, SERVER, "ingress");
    }
    records.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Gives the port with this key port security with one address, and a security group that allows packets to the
/// server in one direction.
fn filter(records: &mut Vec<Value>, key: u32, ip: &str, direction: &str) {
    let id = format!("{direction}-to-server");
    let port = records.iter_mut().map(|line| &mut line["record"]).find(|record| record["id"] == port_id(key));
    let port = port.expect("a record of this port");
    port["port_security_enabled"] = true.into();
    port["ips"] = json!([ip]);
    port["security_groups"] = json!([id]);
    let rule = json!({
        "id": "server", "topic": "project", "version": 1, "direction": direction, "ethertype": "IPv4",
        "protocol": 17, "port_range_min": SERVER_PORT, "port_range_max": SERVER_PORT,
    });
    let group = json!({ "id": id, "topic": "project", "version": 1, "rules": [rule] });
    records.push(json!({ "table": "secgroup", "record": group }));
}
