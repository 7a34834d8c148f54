//! What `trunkpath run` was told, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that an operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The NB DB's URL.
    pub nb: String,
    /// Our name in the NB DB: a logical port whose `binding.chassis` is this is here.
    pub chassis: String,
    /// CPUs, one worker each; all different, never empty.
    pub workers: Vec<usize>,
    /// Devices by lport id, for links that cannot be found by alias or name.
    pub attach: BTreeMap<String, String>,
    /// The API socket.
    pub api: PathBuf,
    /// The size of the UMEM, which all frames live in.
    pub umem_mib: u32,
    /// For ports that `ports` does not name.
    pub default_port: PortOptions,
    /// By lport id.
    pub ports: BTreeMap<String, PortOptions>,
}

impl Config {
    /// The options of a port.
    #[must_use]
    pub fn port(&self, lport: &str) -> PortOptions {
        self.ports.get(lport).copied().unwrap_or(self.default_port)
    }
}

/// What is decided for each port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortOptions {
    /// What the XDP program does with frames while no socket is there.
    pub no_socket: NoSocketPolicy,
    /// Take a link that only does generic XDP, where a guest can hide a tag from us.
    pub allow_generic: bool,
    /// Complete the partial checksums that veth and tap peers leave.
    pub complete_checksums: bool,
}

impl Default for PortOptions {
    fn default() -> Self {
        Self { no_socket: NoSocketPolicy::Drop, allow_generic: false, complete_checksums: true }
    }
}

/// What becomes of a frame that finds no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoSocketPolicy {
    /// It ends: a guest's frames never reach the host's own stack.
    Drop,
    /// The kernel gets it: for a node where Open vSwitch or a bridge stands behind.
    Pass,
}
