//! How a frame leaves: by a link of this host, to a port on it or to another host.

use super::peer::{Path, Peer};
use super::{LinkEntry, LinkSlot, PeerSlot, Port, PortCounters, PortSlot, Tags, WorkerId};
use crate::packet::Header;
use crate::packet::dot1q::TAG_LEN;
use crate::packet::tunnel::{Flow, OuterHeader};
use crate::types::{QueueId, Tunnel};

/// The exit of a frame: its receiver with link, queue and worker, looked up once.
#[derive(Debug, Clone, Copy)]
pub struct Exit<'t> {
    /// Place of the receiver: a port, or [a host](PortSlot::peer).
    pub slot: PortSlot,
    /// Place of the link that the frame leaves by.
    pub link: LinkSlot,
    /// TX queue of the link.
    pub queue: QueueId,
    /// The worker that owns the queue.
    pub worker: WorkerId,
    receiver: Receiver<'t>,
}

/// The receiver, by what its link needs to know of it.
#[derive(Debug, Clone, Copy)]
enum Receiver<'t> {
    Port(&'t LinkEntry, &'t Port),
    Host { peer: &'t Peer, path: &'t Path, header: &'t OuterHeader, tunnel: Tunnel, flow: Flow },
}

/// The outer headers of a frame, by which the far end tells the frames of ports and networks apart.
#[derive(Debug, Clone, Copy)]
pub enum Wrap<'t> {
    /// 802.1Q tags, innermost first; none for the own port of a link.
    Tags(&'t Tags),
    /// Those of a tunnel to another host.
    Tunnel(&'t OuterHeader, Tunnel, Flow),
}

impl<'t> Exit<'t> {
    #[inline]
    pub(super) fn to_port(
        slot: PortSlot,
        link: &'t LinkEntry,
        port: &'t Port,
        (queue, worker): (QueueId, WorkerId),
    ) -> Self {
        Self { slot, link: slot.link, queue, worker, receiver: Receiver::Port(link, port) }
    }

    #[inline]
    pub(super) fn to_peer(
        (slot, peer): (PeerSlot, &'t Peer),
        path: &'t Path,
        (header, tunnel, flow): (&'t OuterHeader, Tunnel, Flow),
        (queue, worker): (QueueId, WorkerId),
    ) -> Self {
        let receiver = Receiver::Host { peer, path, header, tunnel, flow };
        Self { slot: PortSlot::of_peer(slot), link: path.link, queue, worker, receiver }
    }

    /// Bytes of the longest packet that is taken whole, without Ethernet header and tags.
    #[inline]
    #[must_use]
    pub fn mtu(&self) -> usize {
        match self.receiver {
            Receiver::Port(link, _) => link.mtu,
            Receiver::Host { .. } => self.longest_frame().saturating_sub(Header::LEN),
        }
    }

    /// Bytes of the longest frame that is taken, with the tags that it has before [`wrap`](Self::wrap) is put
    /// on.
    #[inline]
    #[must_use]
    pub fn longest_frame(&self) -> usize {
        match self.receiver {
            Receiver::Port(link, port) => link.longest_frame.saturating_sub(port.tags.len() * TAG_LEN),
            Receiver::Host { path, header, .. } => path.mtu.saturating_sub(header.overhead()),
        }
    }

    /// The receiver, if it is a port.
    #[inline]
    #[must_use]
    pub const fn port(&self) -> Option<&'t Port> {
        match self.receiver {
            Receiver::Port(_, port) => Some(port),
            Receiver::Host { .. } => None,
        }
    }

    /// The outer headers of the frame.
    #[inline]
    #[must_use]
    pub fn wrap(&self) -> Wrap<'t> {
        match self.receiver {
            Receiver::Port(_, port) => Wrap::Tags(&port.tags),
            Receiver::Host { header, tunnel, flow, .. } => Wrap::Tunnel(header, tunnel, flow),
        }
    }

    /// Counters of the receiver.
    #[inline]
    #[must_use]
    pub fn counters(&self) -> &'t PortCounters {
        match self.receiver {
            Receiver::Port(_, port) => &port.counters,
            Receiver::Host { peer, .. } => &peer.counters,
        }
    }
}
