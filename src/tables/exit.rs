//! How a frame leaves: by a link of this host, to a port on it or to another host.

use super::peer::{Path, Peer};
use super::{LinkEntry, LinkSlot, PeerSlot, Port, PortCounters, PortSlot, Tags, VlanTable, WorkerId};
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
    /// Bytes of the longest packet that is taken whole, without Ethernet header and tags.
    pub mtu: usize,
    /// Bytes of the longest frame that is taken, with the tags that it has before [`wrap`](Self::wrap) is put
    /// on.
    pub longest_frame: usize,
    /// The meaning of tags on frames to the receiver; `None` for one that takes all tags.
    pub subports: Option<&'t VlanTable>,
    /// The outer headers by which the far end tells the frames of ports and networks apart.
    pub wrap: Wrap<'t>,
    /// Counters of the receiver.
    pub counters: &'t PortCounters,
}

/// The outer headers of a frame.
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
        Self {
            slot,
            link: slot.link,
            queue,
            worker,
            mtu: link.mtu,
            longest_frame: link.longest_frame.saturating_sub(port.tags.len() * TAG_LEN),
            subports: port.subports.as_deref(),
            wrap: Wrap::Tags(&port.tags),
            counters: &port.counters,
        }
    }

    #[inline]
    pub(super) fn to_peer(
        slot: PeerSlot,
        peer: &'t Peer,
        (path, link): (&Path, &LinkEntry),
        (header, tunnel, flow): (&'t OuterHeader, Tunnel, Flow),
        (entry, worker): (QueueId, WorkerId),
    ) -> Self {
        let (queue, worker) = link.queues.exit(entry, worker);
        let longest_frame = path.mtu.saturating_sub(header.overhead());
        Self {
            slot: PortSlot::of_peer(slot),
            link: path.link,
            queue,
            worker,
            mtu: longest_frame.saturating_sub(Header::LEN),
            longest_frame,
            subports: None,
            wrap: Wrap::Tunnel(header, tunnel, flow),
            counters: &peer.counters,
        }
    }
}
