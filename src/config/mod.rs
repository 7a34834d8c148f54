//! The configuration of `trunkpath run`.
//!
//! A TOML file and the options of the command line are both parsed into [`Settings`], where each value is optional. The
//! options override the file, and [`Settings::check`] makes a [`Config`] of them, which holds no illegal value.

mod cpus;
mod error;
mod file;
mod settings;
mod update;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::tables::Policy;
use crate::types::NoSocketPolicy;

pub use cpus::CpusError;
pub use error::{ConfigError, ConfigErrors, Position};
pub use settings::{NetworkSettings, PortSettings, Settings};
pub use update::Update;

/// Where the daemon listens and its clients look, unless told otherwise.
pub const DEFAULT_API: &str = "/run/trunkpath/api.sock";

/// Where the last good state is kept, unless told otherwise.
pub const DEFAULT_STATE: &str = "/var/lib/trunkpath/last-good.db";

/// Where XDP programs are pinned, unless told otherwise.
pub const DEFAULT_PIN_FOLDER: &str = "/sys/fs/bpf/trunkpath";

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
    /// Where the records of a remote NB DB are kept for a start without it.
    pub state: PathBuf,
    /// The folder of a bpffs in which the programs are pinned that are to outlive a kill.
    pub pin_folder: PathBuf,
    /// Whether the operator asked for pins, with a pin folder or `no_socket = drop`; else they are a default.
    pub pins_wanted: bool,
    /// What becomes of us when a worker panics.
    pub on_worker_panic: OnWorkerPanic,
    /// Where other hosts send to us, for our record in table `chassis`; unless given, what the default route says.
    pub local_ip: Option<IpAddr>,
    /// The size of the UMEM, which all frames live in.
    pub umem_mib: u32,
    /// What workers do when nothing comes.
    pub idle: IdleMode,
    /// For ports that `ports` does not name.
    pub default_port: PortOptions,
    /// What goes for all ports.
    pub policy: Policy,
    /// By lport id.
    pub ports: BTreeMap<String, PortOptions>,
}

impl Config {
    /// The options of a port.
    #[must_use]
    pub fn port(&self, lport: &str) -> PortOptions {
        self.ports.get(lport).copied().unwrap_or(self.default_port)
    }

    /// Whether there may be ports whose frames end while they find no socket.
    #[must_use]
    pub fn drops_without_socket(&self) -> bool {
        let mut options = self.ports.values().chain([&self.default_port]);
        options.any(|options| options.no_socket == NoSocketPolicy::Drop)
    }
}

/// What becomes of the switch when a worker panics, which is a bug. Its ports meet their policy for a missing socket in
/// both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnWorkerPanic {
    /// The worker is started again, and its ports with it. The default: whoever can send the frame that it died of cannot
    /// stop other workers' ports with it.
    #[default]
    Restart,
    /// The process ends with an error, for a service manager that is to start all anew.
    Exit,
}

/// What a worker does when nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum IdleMode {
    /// It looks again for some microseconds, then sleeps until a frame comes.
    #[default]
    Adaptive,
    /// It looks for ever: the shortest way for a frame, and a CPU that does nothing else.
    Busy,
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
