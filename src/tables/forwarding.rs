//! [`Tables`], and the look-ups of the datapath in them.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::identity::Identity;
use super::outside::Outside;
use super::pages::Pages;
use super::{
    ConnectionPolicy, Exit, Filter, FilterSlot, LinkEntry, LinkSlot, Network, NetworkSlot, Peer, PeerSlot,
    Policy, Port, PortCounters, PortSlot, WorkerId,
};
use crate::packet::tunnel::Flow;
use crate::types::drop_reason::Tunnel as TunnelDrop;
use crate::types::{QueueId, ReservedMulticast, Tunnel};

/// Everything that a worker needs to forward a frame.
///
/// One version shares unchanged entries with the next: links with their ports, networks with their addresses.
/// A change therefore costs as much as the entries that it concerns.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) links: Pages<LinkEntry>,
    pub(super) networks: Pages<Network>,
    pub(super) peers: Pages<Peer>,
    pub(super) filters: Pages<Filter>,
    /// Whether a port here is filtered: then workers keep the time.
    pub has_filters: bool,
    pub(super) outside: Arc<Outside>,
    /// The number of tables published before these.
    pub(super) generation: u64,
    /// Counters for drops that no port has caused.
    pub no_port: PortCounters,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for no limit.
    pub flood_rate: Option<NonZeroU32>,
    /// Outcome of frames to addresses that bridges do not forward.
    pub reserved_multicast: ReservedMulticast,
    /// How long the connections of filtered ports are remembered, and how many.
    pub connections: Arc<ConnectionPolicy>,
}

impl Tables {
    /// Tables without links and networks.
    #[must_use]
    pub fn empty(no_port: PortCounters) -> Self {
        Self {
            links: Pages::new(),
            networks: Pages::new(),
            peers: Pages::new(),
            filters: Pages::new(),
            has_filters: false,
            outside: Arc::default(),
            generation: 0,
            no_port,
            flood_rate: None,
            reserved_multicast: ReservedMulticast::Drop,
            connections: Arc::default(),
        }
    }

    /// The same tables with the settings of `policy` for all ports.
    pub(super) fn with(self, policy: &Policy) -> Self {
        let Policy { unknown_tags: _, flood_rate, reserved_multicast, connections } = policy;
        let (flood_rate, reserved_multicast) = (*flood_rate, *reserved_multicast);
        Self { flood_rate, reserved_multicast, connections: Arc::clone(connections), ..self }
    }

    /// The version of published tables: each has a higher one than those before.
    #[inline]
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The link at `slot`; `None` after its removal.
    #[inline]
    #[must_use]
    pub fn link(&self, slot: LinkSlot) -> Option<&LinkEntry> {
        self.links.get(usize::from(slot.0))
    }

    /// The port at `slot`; `None` after its removal.
    #[inline]
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Option<&Port> {
        self.link(slot.link)?.port(slot.number)
    }

    /// The exit to the port at `slot` by `queue` of its link; `None` if `worker` does not own that queue, or
    /// after the removal of the port.
    #[inline]
    #[must_use]
    pub fn direct_exit(&self, slot: PortSlot, queue: QueueId, worker: WorkerId) -> Option<Exit<'_>> {
        let link = self.link(slot.link)?;
        let port = link.port(slot.number)?;
        link.queues.is_owner(queue, worker).then(|| Exit::to_port(slot, link, port, (queue, worker)))
    }

    /// The exit to the port at `slot` for a frame that `worker` received from queue `entry` of any link;
    /// `None` after the removal of the port.
    #[inline]
    #[must_use]
    pub fn exit(&self, slot: PortSlot, entry: QueueId, worker: WorkerId) -> Option<Exit<'_>> {
        let link = self.link(slot.link)?;
        let port = link.port(slot.number)?;
        Some(Exit::to_port(slot, link, port, link.queues.exit(entry, worker)))
    }

    /// The exit to a host for a frame of the network with `tunnel`, which `worker` received from queue
    /// `entry` of any link. `None` while the uplink is not open, and after the removal of the host.
    ///
    /// # Errors
    /// The reason why there is no path to the host.
    #[inline]
    pub fn peer_exit(
        &self,
        slot: PeerSlot,
        (tunnel, flow): (Tunnel, Flow),
        entry: QueueId,
        worker: WorkerId,
    ) -> Result<Option<Exit<'_>>, TunnelDrop> {
        let Some(peer) = self.peer(slot) else { return Ok(None) };
        let path = peer.paths.as_ref().map_err(|reason| *reason)?.of(flow);
        let header = path.header(tunnel.kind()).ok_or(TunnelDrop::TypeUnsupported)?;
        Ok(self.link(path.link).map(|link| {
            Exit::to_peer((slot, peer), path, (header, tunnel, flow), link.queues.exit(entry, worker))
        }))
    }

    /// The filter at `slot`; `None` after its removal.
    #[inline]
    #[must_use]
    pub fn filter(&self, slot: FilterSlot) -> Option<&Filter> {
        self.filters.get(slot.number().into())
    }

    /// The host at `slot`; `None` after its removal.
    #[inline]
    #[must_use]
    pub fn peer(&self, slot: PeerSlot) -> Option<&Peer> {
        self.peers.get(usize::from(slot.0))
    }

    /// All hosts, in the order of their slots.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter()
    }

    /// What is received from other hosts.
    #[inline]
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// The holder of a place, by which a later one is told from it. `None` for a place without a holder.
    #[must_use]
    pub fn identity(&self, slot: PortSlot) -> Option<Identity> {
        match slot.peer() {
            Some(peer) => self.peer(peer).map(|peer| Identity::of_peer(peer.number)),
            None => self.port(slot).map(|port| port.identity),
        }
    }

    /// The network at `slot`; `None` when it has no port here any longer.
    #[inline]
    #[must_use]
    pub fn network(&self, slot: NetworkSlot) -> Option<&Network> {
        self.networks.get(slot.number())
    }

    /// All links, in the order of their slots.
    pub fn links(&self) -> impl Iterator<Item = &LinkEntry> {
        self.links.iter()
    }

    /// All networks, in the order of their slots.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter()
    }

    /// The counters of the port or host at `slot`, or [`no_port`](Self::no_port) after its removal.
    #[inline]
    #[must_use]
    pub fn counters(&self, slot: PortSlot) -> &PortCounters {
        let counters = match slot.peer() {
            Some(peer) => self.peer(peer).map(|peer| &peer.counters),
            None => self.port(slot).map(|port| &port.counters),
        };
        counters.unwrap_or(&self.no_port)
    }
}
