//! Two namespaces and the cables between them.
//!
//! ```text
//!   dut: the datapath under test      vms: the guests, and the other host
//!     p0 ═══════════════════════════════ v0    the underlay
//!     p1 ═══════════════════════════════ v1
//!     p2 ═══════════════════════════════ v2    ...
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use crate::bpf::{Hook, Programs};
use crate::job::{Job, UNDERLAY};
use crate::sink::Sink;
use crate::underlay;
use testkit::command::{run, succeed};
use testkit::netns::Netns;

/// Number of cables of every testbed besides the underlay, which may have traffic.
pub const CABLES: usize = 4;

/// Two namespaces and their cables, deleted when dropped.
#[derive(Debug)]
pub struct Testbed {
    /// Sinks by cable, from 0 on.
    sinks: Vec<Sink>,
    pub dut: Netns,
    pub vms: Netns,
}

impl Testbed {
    /// Creates a testbed whose datapath sends frames as socket buffers (`Hook::Tc`) or as XDP frames.
    pub fn new(programs: &Programs, name: &str, sinks: Hook) -> Result<Self> {
        Self::with_cables(programs, name, sinks, CABLES)
    }

    /// Creates a testbed with further cables, without traffic.
    pub fn with_cables(programs: &Programs, name: &str, hook: Hook, cables: usize) -> Result<Self> {
        let (dut, vms) = (Netns::new(&format!("{name}-dut")), Netns::new(&format!("{name}-vms")));
        let mut lines = String::new();
        let mtu = |number| if number == UNDERLAY { underlay::MTU } else { 1500 };
        for number in UNDERLAY..=cables {
            let mtu = mtu(number);
            // Without an address the kernel sends nothing by itself.
            writeln!(lines, "link add p{number} type veth peer name v{number} netns {}", vms.name())?;
            writeln!(lines, "link set p{number} mtu {mtu} promisc on addrgenmode none up")?;
        }
        batch(&dut, &lines);
        lines.clear();
        for number in UNDERLAY..=cables {
            let mtu = mtu(number);
            writeln!(lines, "link set v{number} mtu {mtu} promisc on addrgenmode none up")?;
        }
        batch(&vms, &lines);
        for number in UNDERLAY..=CABLES {
            no_offloads(&dut, &format!("p{number}"));
            no_offloads(&vms, &format!("v{number}"));
        }
        let sink = |number| Sink::new(programs, &vms, &format!("v{number}"), hook);
        let sinks = (UNDERLAY..=CABLES).map(sink).collect::<Result<_>>()?;
        Ok(Self { sinks, dut, vms })
    }

    /// For datapaths without an XDP program: GRO gives a link the poll routine that XDP frames of the
    /// generator require. It merges none of them.
    pub fn receive_without_xdp(&self) {
        for number in UNDERLAY..=CABLES {
            succeed(self.dut.command("ethtool").args(["-K", &format!("p{number}"), "gro", "on"]), "");
        }
    }

    /// The sink at the far end of this cable.
    pub fn sink(&self, cable: usize) -> &Sink {
        &self.sinks[cable]
    }

    /// Drops so far on the path of a job, by link and counter of the kernel.
    pub fn drops(&self, job: Job) -> BTreeMap<String, u64> {
        let mut drops = BTreeMap::new();
        let links = [
            (&self.vms, format!("v{}", job.from())),
            (&self.dut, format!("p{}", job.from())),
            (&self.dut, format!("p{}", job.to())),
            (&self.vms, format!("v{}", job.to())),
        ];
        for (netns, link) in links {
            let shown: Value =
                serde_json::from_str(&netns.ip(&format!("-j -s link show dev {link}"))).unwrap();
            for way in ["rx", "tx"] {
                let dropped = shown[0]["stats64"][way]["dropped"].as_u64().unwrap_or_default();
                drops.insert(format!("{link} {way}_dropped"), dropped);
            }
            drops.extend(ethtool(netns, &link));
        }
        drops.insert("backlog".to_owned(), backlog());
        // Sinks drop all frames, which are not lost.
        drops.retain(|place, _| !place.starts_with('v') || !place.contains("rx"));
        drops
    }
}

fn batch(netns: &Netns, lines: &str) {
    succeed(Command::new("ip").args(["-n", netns.name(), "-batch", "-"]), lines);
}

/// Disables offloads: no merged frames, tags in the frame, complete checksums.
fn no_offloads(netns: &Netns, link: &str) {
    let off = "tx off rx off tso off gso off gro off txvlan off rxvlan off";
    run(&format!("ip netns exec {} ethtool -K {link} {off}", netns.name()));
}

/// Drops that the driver counts.
fn ethtool(netns: &Netns, link: &str) -> BTreeMap<String, u64> {
    let text = succeed(netns.command("ethtool").args(["-S", link]), "");
    let counters = text.lines().filter_map(|line| line.trim().split_once(": "));
    let drops = counters.filter(|(name, _)| name.contains("drops") || name.contains("errors"));
    drops.filter_map(|(name, value)| Some((format!("{link} {name}"), value.parse().ok()?))).collect()
}

/// Drops by a full backlog of any CPU (Documentation/networking/scaling.rst): second column of
/// `/proc/net/softnet_stat`.
fn backlog() -> u64 {
    let text = std::fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    text.lines().filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()).sum()
}
