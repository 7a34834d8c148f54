//! [`Config`], the checked configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::tables::{Policy, QueueSpread};
use crate::types::{Id, LinkRole, NoSocketPolicy};

/// Default Unix socket of the API, for the daemon and its clients.
pub const DEFAULT_API: &str = "/run/trunkpath/api.sock";

/// Default file of the snapshot cache.
pub const DEFAULT_STATE: &str = "/var/lib/trunkpath/last-good.db";

/// Default folder of the pinned XDP programs.
pub const DEFAULT_PIN_FOLDER: &str = "/sys/fs/bpf/trunkpath";

/// The checked configuration of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// URL of the NB DB, with its password.
    pub nb: String,
    /// Name of this host in the NB DB: a port whose `binding.chassis` equals it is local.
    pub chassis: String,
    /// CPUs, one worker each; all different, never empty.
    pub workers: Vec<usize>,
    /// Link names by lport id, for links whose alias and name do not identify their port.
    pub attach: BTreeMap<String, String>,
    /// Path of the API's Unix socket.
    pub api: PathBuf,
    /// File of the snapshot cache: a copy of a remote NB DB, for a start while that is unreachable.
    pub state: PathBuf,
    /// Folder in a bpffs for pinned programs, which stay attached after a kill of the daemon.
    pub pin_folder: PathBuf,
    /// Whether the operator requested pins, with a pin folder or `no_socket = drop`; otherwise they are a
    /// default, and the switch works without.
    pub pins_requested: bool,
    /// Reaction to a panic of a worker.
    pub on_worker_panic: OnWorkerPanic,
    /// Address at which other hosts reach this one, for its record in table `chassis`; `None`: the source
    /// address of the default route.
    pub local_ip: Option<IpAddr>,
    /// Link names by physical network: provider networks leave by these.
    pub uplinks: BTreeMap<Id, String>,
    /// Whether outer IPv4 headers of tunnels forbid fragments (DF).
    pub tunnel_df: bool,
    /// Size of the UMEM, which contains all frames.
    pub umem_mib: u32,
    /// Behaviour of workers without frames.
    pub idle: IdleMode,
    /// Options of the ports that are not in `ports`.
    pub default_port: PortOptions,
    /// Settings for all ports that the tables contain.
    pub policy: Policy,
    /// Options of single ports, by lport id.
    pub ports: BTreeMap<String, PortOptions>,
}

impl Config {
    /// The options of a port.
    #[must_use]
    pub fn port(&self, lport: &str) -> PortOptions {
        self.ports.get(lport).copied().unwrap_or(self.default_port)
    }

    /// The options of a link with this role.
    #[must_use]
    pub fn link_options(&self, role: &LinkRole, spread: QueueSpread) -> LinkOptions {
        match role {
            LinkRole::Port(lport) => LinkOptions::Port(self.port(lport), spread),
            LinkRole::Uplink(name) => {
                LinkOptions::Uplink(UplinkOptions { is_provider: self.is_provider(name) })
            }
        }
    }

    /// Whether a physical network is mapped to the link.
    #[must_use]
    pub fn is_provider(&self, link: &str) -> bool {
        self.uplinks.values().any(|name| *name == *link)
    }

    /// Whether a port may have `no_socket = drop`.
    #[must_use]
    pub fn drops_without_socket(&self) -> bool {
        let mut options = self.ports.values().chain([&self.default_port]);
        options.any(|options| options.no_socket == NoSocketPolicy::Drop)
    }
}

/// Reaction to a panic of a worker, which is a bug. In both cases the `no_socket` policy applies to its ports
/// until their sockets are open again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnWorkerPanic {
    /// The worker is started again with its ports. The default: a guest that can send the frame which caused
    /// the panic cannot stop the ports of other workers with it.
    #[default]
    Restart,
    /// The process exits with an error, for a service manager that restarts it.
    Exit,
}

/// Behaviour of a worker without frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum IdleMode {
    /// It polls for some microseconds, then sleeps until a frame arrives.
    #[default]
    Adaptive,
    /// It polls without end: the lowest latency, at the cost of a CPU.
    Busy,
}

/// Options by which a link is opened: with other ones it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOptions {
    /// The link of a port.
    Port(PortOptions, QueueSpread),
    /// A link to other hosts.
    Uplink(UplinkOptions),
}

impl LinkOptions {
    /// The workers that receive from its queues.
    #[must_use]
    pub const fn spread(self) -> QueueSpread {
        match self {
            Self::Port(_, spread) => spread,
            Self::Uplink(_) => QueueSpread::Workers,
        }
    }

    /// Whether partial checksums of received frames are completed. On an uplink always: a peer behind a veth,
    /// and the inner frames of tunnels, have them.
    #[must_use]
    pub const fn completes_checksums(self) -> bool {
        match self {
            Self::Port(options, _) => options.complete_checksums,
            Self::Uplink(_) => true,
        }
    }
}

/// Options of a link to other hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UplinkOptions {
    /// Whether a physical network is mapped to it: then it receives frames to all addresses and VLANs.
    /// Tunnels need only those to the link's own address.
    pub is_provider: bool,
}

/// Options of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortOptions {
    /// Verdict of the XDP program while the port has no socket.
    pub no_socket: NoSocketPolicy,
    /// Whether a link without native XDP is accepted. In generic mode a guest can hide a tag from the XDP
    /// program.
    pub allow_generic: bool,
    /// Whether partial checksums, which veth and tap peers leave, are completed.
    pub complete_checksums: bool,
}

impl Default for PortOptions {
    fn default() -> Self {
        Self { no_socket: NoSocketPolicy::Drop, allow_generic: false, complete_checksums: true }
    }
}
