//! This host, as its tables depend on it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Compiler;
use crate::nb::Binding;
use crate::types::Id;

/// The host that the tables are for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// Its name in the NB DB. Ports that are bound to other ones are remote.
    pub chassis: Id,
    /// The endpoint of its tunnels; `None`: the address in its own chassis record.
    pub endpoint: Option<IpAddr>,
    /// Names of uplinks by physical network.
    pub uplinks: BTreeMap<Id, Id>,
    /// Whether outer IPv4 headers forbid fragments (DF).
    pub forbids_fragments: bool,
}

impl Compiler {
    /// Sets the host. Of a host with records already, the name stays the same.
    pub fn set_host(&mut self, host: Host) {
        if self.host != host {
            self.host = host;
            self.dirty_networks.extend(self.networks.keys().cloned());
            self.peers.mark_all();
        }
    }

    /// The endpoint of this host's tunnels; `None` while it is unknown.
    #[must_use]
    pub fn endpoint(&self) -> Option<IpAddr> {
        let record = self.northbound.chassis().get(&self.host.chassis);
        self.host.endpoint.or_else(|| record.map(|chassis| chassis.ip))
    }

    /// Whether a port with this binding belongs here.
    pub(super) fn is_own(&self, binding: &Binding) -> bool {
        matches!(binding, Binding::Chassis(chassis) if *chassis == self.host.chassis)
    }
}
