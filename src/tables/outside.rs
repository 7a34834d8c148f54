//! The meaning of tunnel packets from other hosts.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{NetworkSlot, PeerSlot};
use crate::types::{Tunnel, TunnelType};

/// The endpoint of this host, and what it accepts.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Address of this host's endpoint; `None` while it has none, so that no tunnel packet is for it.
    pub endpoint: Option<IpAddr>,
    /// The hosts by their endpoints.
    pub(super) peers: HashMap<IpAddr, PeerSlot, FixedState>,
    /// The networks with a port here, by their tunnels.
    pub(super) networks: HashMap<(TunnelType, u32), NetworkSlot, FixedState>,
}

impl Outside {
    /// The host with this endpoint.
    #[inline]
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<PeerSlot> {
        self.peers.get(&address).copied()
    }

    /// The network of packets of this type with this VNI or key.
    #[inline]
    #[must_use]
    pub fn network(&self, kind: TunnelType, key: u32) -> Option<NetworkSlot> {
        self.networks.get(&(kind, key)).copied()
    }

    pub(super) fn insert_network(&mut self, tunnel: Tunnel, network: NetworkSlot) {
        self.networks.insert((tunnel.kind(), tunnel.key()), network);
    }

    /// Removes a network, unless another one has its tunnel by now.
    pub(super) fn remove_network(&mut self, tunnel: Tunnel, network: NetworkSlot) {
        let key = (tunnel.kind(), tunnel.key());
        if self.networks.get(&key) == Some(&network) {
            self.networks.remove(&key);
        }
    }
}
