//! Settings as given in the file and by options, and the checks that make a [`Config`] of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::checked::{
    Config, DEFAULT_API, DEFAULT_PIN_FOLDER, DEFAULT_STATE, IdleMode, OnWorkerPanic, PortOptions,
};
use super::cpus;
use super::error::{ConfigError, ConfigErrors, MAX_UMEM_MIB, unknown_key};
use crate::nb::DEFAULT_URL;
use crate::tables::{ConnectionPolicy, Policy, Timeouts};
use crate::types::{NoSocketPolicy, ReservedMulticast, TagPolicy, UnknownTags};

const DEFAULT_UMEM_MIB: u32 = 256;

/// Key of table `port` for the ports that have no key of their own.
const EVERY_PORT: &str = "*";

const DEFAULT_FLOOD_RATE: u32 = 100_000;

pub(super) const KEYS: [&str; 19] = [
    "nb",
    "chassis",
    "local_ip",
    "workers",
    "attach",
    "uplinks",
    "tunnel_df",
    "api",
    "state",
    "pin_folder",
    "on_worker_panic",
    "umem_mib",
    "idle",
    "flood_rate",
    "quota_connections",
    "connection_timeouts",
    "reserved_multicast",
    "port",
    "network",
];
pub(super) const PORT_KEYS: [&str; 4] = ["no_socket", "allow_generic", "complete_checksums", "unknown_tags"];
pub(super) const NETWORK_KEYS: [&str; 1] = ["unknown_tags"];

/// Settings of a file or of the command line; `None` and empty where they set nothing. [`Config`] describes
/// the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at Config")]
pub struct Settings {
    pub nb: Option<String>,
    pub chassis: Option<String>,
    pub local_ip: Option<IpAddr>,
    pub workers: Option<String>,
    pub attach: BTreeMap<String, String>,
    pub uplinks: BTreeMap<String, String>,
    pub tunnel_df: Option<bool>,
    pub api: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub pin_folder: Option<PathBuf>,
    pub on_worker_panic: Option<OnWorkerPanic>,
    pub umem_mib: Option<u32>,
    pub idle: Option<IdleMode>,
    pub flood_rate: Option<u32>,
    pub quota_connections: Option<u32>,
    pub connection_timeouts: Option<Timeouts>,
    pub reserved_multicast: Option<ReservedMulticast>,
    pub port: BTreeMap<String, PortSettings>,
    pub network: BTreeMap<String, NetworkSettings>,
}

/// Settings for one port, or for all (`*`). [`PortOptions`] and [`TagPolicy`] describe the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at PortOptions")]
pub struct PortSettings {
    pub no_socket: Option<NoSocketPolicy>,
    pub allow_generic: Option<bool>,
    pub complete_checksums: Option<bool>,
    pub unknown_tags: Option<UnknownTags>,
}

/// Settings for the ports of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at TagPolicy")]
pub struct NetworkSettings {
    pub unknown_tags: Option<UnknownTags>,
}

impl Settings {
    /// Combines these settings with those of `below` that they do not set.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let mut port = below.port;
        for (lport, above) in self.port {
            let slot = port.entry(lport).or_default();
            *slot = above.over(*slot);
        }
        Self {
            nb: self.nb.or(below.nb),
            chassis: self.chassis.or(below.chassis),
            local_ip: self.local_ip.or(below.local_ip),
            workers: self.workers.or(below.workers),
            attach: below.attach.into_iter().chain(self.attach).collect(),
            uplinks: below.uplinks.into_iter().chain(self.uplinks).collect(),
            tunnel_df: self.tunnel_df.or(below.tunnel_df),
            api: self.api.or(below.api),
            state: self.state.or(below.state),
            pin_folder: self.pin_folder.or(below.pin_folder),
            on_worker_panic: self.on_worker_panic.or(below.on_worker_panic),
            umem_mib: self.umem_mib.or(below.umem_mib),
            idle: self.idle.or(below.idle),
            flood_rate: self.flood_rate.or(below.flood_rate),
            quota_connections: self.quota_connections.or(below.quota_connections),
            connection_timeouts: self.connection_timeouts.or(below.connection_timeouts),
            reserved_multicast: self.reserved_multicast.or(below.reserved_multicast),
            port,
            network: below.network.into_iter().chain(self.network).collect(),
        }
    }

    /// Fills in the defaults and checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be used.
    pub fn check(mut self) -> Result<Config, ConfigErrors> {
        let policy = self.policy();
        let pins_requested = self.requests_pins();
        let default_port = self.port.remove(EVERY_PORT).unwrap_or_default().onto(PortOptions::default());
        let ports = self.port.into_iter().map(|(lport, port)| (lport, port.onto(default_port))).collect();
        let umem_mib = self.umem_mib.unwrap_or(DEFAULT_UMEM_MIB);
        if !(1..=MAX_UMEM_MIB).contains(&umem_mib) {
            return Err(ConfigError::UmemSize(umem_mib).into());
        }
        check_links(&self.attach)?;
        check_uplinks(&self.uplinks, &self.attach)?;
        Ok(Config {
            nb: non_empty("nb", self.nb)?.unwrap_or_else(|| DEFAULT_URL.to_owned()),
            chassis: non_empty("chassis", self.chassis)?.unwrap_or_else(host_name),
            workers: match self.workers {
                Some(list) => cpus::parse(&list)?,
                None => vec![cpus::last_allowed()?],
            },
            attach: self.attach,
            uplinks: self.uplinks.into_iter().map(|(physical, link)| (physical.into(), link)).collect(),
            tunnel_df: self.tunnel_df.unwrap_or(false),
            api: self.api.unwrap_or_else(|| DEFAULT_API.into()),
            state: self.state.unwrap_or_else(|| DEFAULT_STATE.into()),
            pin_folder: self.pin_folder.unwrap_or_else(|| DEFAULT_PIN_FOLDER.into()),
            pins_requested,
            on_worker_panic: self.on_worker_panic.unwrap_or_default(),
            local_ip: self.local_ip,
            umem_mib,
            idle: self.idle.unwrap_or_default(),
            policy,
            default_port,
            ports,
        })
    }
}

impl Settings {
    fn requests_pins(&self) -> bool {
        let drops = |port: &PortSettings| port.no_socket == Some(NoSocketPolicy::Drop);
        self.pin_folder.is_some() || self.port.values().any(drops)
    }

    fn connections(&self) -> ConnectionPolicy {
        let default = ConnectionPolicy::default();
        ConnectionPolicy {
            quota: self.quota_connections.unwrap_or(default.quota),
            timeouts: self.connection_timeouts.unwrap_or(default.timeouts),
        }
    }

    fn policy(&self) -> Policy {
        let unknown_tags_of = |port: &PortSettings| port.unknown_tags;
        let networks = self.network.iter();
        let ports = self.port.iter().filter(|(lport, _)| *lport != EVERY_PORT);
        Policy {
            unknown_tags: TagPolicy {
                default: self.port.get(EVERY_PORT).and_then(unknown_tags_of).unwrap_or_default(),
                networks: networks
                    .filter_map(|(id, given)| Some((id.clone(), given.unknown_tags?)))
                    .collect(),
                ports: ports.filter_map(|(id, port)| Some((id.clone(), unknown_tags_of(port)?))).collect(),
            },
            flood_rate: NonZeroU32::new(self.flood_rate.unwrap_or(DEFAULT_FLOOD_RATE)),
            reserved_multicast: self.reserved_multicast.unwrap_or_default(),
            connections: Arc::new(self.connections()),
        }
    }
}

impl PortSettings {
    /// Parses one option of the command line, split into key and value.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key or an invalid value.
    pub fn from_pair(key: &str, value: &str) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        match key {
            "no_socket" => settings.no_socket = Some(parse_word("no_socket", value, "drop or pass")?),
            "allow_generic" => settings.allow_generic = Some(parse_bool("allow_generic", value)?),
            "complete_checksums" => {
                settings.complete_checksums = Some(parse_bool("complete_checksums", value)?);
            }
            "unknown_tags" => {
                settings.unknown_tags = Some(parse_word("unknown_tags", value, "pass or drop")?);
            }
            unknown => return Err(unknown_key(unknown, None, &PORT_KEYS)),
        }
        Ok(settings)
    }

    /// Combines these options with those of `below` that they do not set.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            no_socket: self.no_socket.or(below.no_socket),
            allow_generic: self.allow_generic.or(below.allow_generic),
            complete_checksums: self.complete_checksums.or(below.complete_checksums),
            unknown_tags: self.unknown_tags.or(below.unknown_tags),
        }
    }

    fn onto(self, default: PortOptions) -> PortOptions {
        PortOptions {
            no_socket: self.no_socket.unwrap_or(default.no_socket),
            allow_generic: self.allow_generic.unwrap_or(default.allow_generic),
            complete_checksums: self.complete_checksums.unwrap_or(default.complete_checksums),
        }
    }
}

/// Parses a word as the file's deserializer does.
fn parse_word<T: DeserializeOwned>(
    key: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, ConfigError> {
    T::deserialize(value.into_deserializer()).map_err(|_: serde::de::value::Error| {
        ConfigError::BadPortOption { key, value: value.to_owned(), expected }
    })
}

fn parse_bool(key: &'static str, value: &str) -> Result<bool, ConfigError> {
    value.parse().map_err(|_| ConfigError::BadPortOption {
        key,
        value: value.to_owned(),
        expected: "true or false",
    })
}

/// Rejects an empty text. A missing one stands for the default.
fn non_empty(name: &'static str, value: Option<String>) -> Result<Option<String>, ConfigError> {
    match value {
        Some(text) if text.trim().is_empty() => Err(ConfigError::Empty(name)),
        value => Ok(value),
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether the kernel accepts the name of a link (`dev_valid_name`).
fn is_link_name(name: &str) -> bool {
    let forbidden = |byte: u8| byte == b'/' || byte == b':' || byte.is_ascii_whitespace();
    (1..=15).contains(&name.len()) && ![".", ".."].contains(&name) && !name.bytes().any(forbidden)
}

/// Checks the names, and that no uplink is the link of a port.
fn check_uplinks(
    uplinks: &BTreeMap<String, String>,
    attach: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    for (physical, link) in uplinks {
        if physical.is_empty() || !is_link_name(link) {
            return Err(ConfigError::BadUplink { physical: physical.clone(), link: link.clone() });
        }
        if let Some((lport, _)) = attach.iter().find(|(_, attached)| *attached == link) {
            let (link, physical, lport) = (link.clone(), physical.clone(), lport.clone());
            return Err(ConfigError::UplinkIsPort { link, physical, lport });
        }
    }
    Ok(())
}

/// Checks the names, and that each link has one port.
fn check_links(attach: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let mut owners = BTreeMap::new();
    for (lport, link) in attach {
        if !is_link_name(link) {
            return Err(ConfigError::BadLinkName { lport: lport.clone(), link: link.clone() });
        }
        if let Some(first) = owners.insert(link, lport) {
            let (link, first, second) = (link.clone(), first.clone(), lport.clone());
            return Err(ConfigError::LinkTwice { link, first, second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
