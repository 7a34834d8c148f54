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
    /// The hosts by their endpoints, of the same family as the own one.
    peers: HashMap<u128, PeerSlot, FixedState>,
    /// The networks with a port here, by the [keys](tunnel_key) of their tunnels.
    networks: HashMap<u64, NetworkSlot, FixedState>,
}

impl Outside {
    /// The host with this endpoint.
    #[inline]
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<PeerSlot> {
        self.peers.get(&address_key(address)).copied()
    }

    /// The network of packets of this type with this VNI or key.
    #[inline]
    #[must_use]
    pub fn network(&self, kind: TunnelType, key: u32) -> Option<NetworkSlot> {
        self.networks.get(&tunnel_key(kind, key)).copied()
    }

    /// The numbers of hosts and of networks.
    pub(super) fn entry_counts(&self) -> (usize, usize) {
        (self.peers.len(), self.networks.len())
    }

    pub(super) fn set_peers(&mut self, peers: impl Iterator<Item = (IpAddr, PeerSlot)>) {
        let is_ipv4 = self.endpoint.is_some_and(|endpoint| endpoint.is_ipv4());
        let peers = peers.filter(|(address, _)| address.is_ipv4() == is_ipv4);
        self.peers = peers.map(|(address, slot)| (address_key(address), slot)).collect();
    }

    pub(super) fn insert_network(&mut self, tunnel: Tunnel, network: NetworkSlot) {
        self.networks.insert(tunnel_key(tunnel.kind(), tunnel.key()), network);
    }

    /// Removes a network, unless another one has its tunnel by now.
    pub(super) fn remove_network(&mut self, tunnel: Tunnel, network: NetworkSlot) {
        let key = tunnel_key(tunnel.kind(), tunnel.key());
        if self.networks.get(&key) == Some(&network) {
            self.networks.remove(&key);
        }
    }
}

/// An address as a number, the same only within a family. It hashes in a few instructions, an [`IpAddr`] in
/// about fifty.
#[inline]
const fn address_key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Type and key of a tunnel as one number.
#[inline]
const fn tunnel_key(kind: TunnelType, key: u32) -> u64 {
    (kind as u64) << u32::BITS | key as u64
}
