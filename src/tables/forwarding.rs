//! [`Tables`], and the look-ups of the datapath in them.

use std::num::NonZeroU32;

use super::pages::Pages;
use super::{LinkEntry, LinkSlot, Network, NetworkSlot, Policy, Port, PortCounters, PortSlot, WorkerId};
use crate::types::{QueueId, ReservedMulticast};

/// Everything that a worker needs to forward a frame.
///
/// One version shares unchanged entries with the next: links with their ports, networks with their addresses.
/// A change therefore costs as much as the entries that it concerns.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) links: Pages<LinkEntry>,
    pub(super) networks: Pages<Network>,
    /// The number of tables published before these.
    pub(super) generation: u64,
    /// Counters for drops that no port has caused.
    pub no_port: PortCounters,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for no limit.
    pub flood_rate: Option<NonZeroU32>,
    /// Outcome of frames to addresses that bridges do not forward.
    pub reserved_multicast: ReservedMulticast,
}

/// The exit of a frame: its receiver with link, queue and worker, looked up once.
#[derive(Debug, Clone, Copy)]
pub struct Exit<'t> {
    /// Slot of the receiving port.
    pub slot: PortSlot,
    /// The link that carries the port.
    pub link: &'t LinkEntry,
    /// Entry of the receiving port.
    pub port: &'t Port,
    /// TX queue of the link.
    pub queue: QueueId,
    /// The worker that owns the queue.
    pub worker: WorkerId,
}

impl Tables {
    /// Tables without links and networks.
    #[must_use]
    pub const fn empty(no_port: PortCounters) -> Self {
        Self {
            links: Pages::new(),
            networks: Pages::new(),
            generation: 0,
            no_port,
            flood_rate: None,
            reserved_multicast: ReservedMulticast::Drop,
        }
    }

    /// The same tables with the settings of `policy` for all ports.
    pub(super) fn with(self, policy: &Policy) -> Self {
        let Policy { unknown_tags: _, flood_rate, reserved_multicast } = *policy;
        Self { flood_rate, reserved_multicast, ..self }
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
        link.queues.is_owner(queue, worker).then_some(Exit { slot, link, port, queue, worker })
    }

    /// The exit to the port at `slot` for a frame that `worker` received from queue `entry` of any link;
    /// `None` after the removal of the port.
    #[inline]
    #[must_use]
    pub fn exit(&self, slot: PortSlot, entry: QueueId, worker: WorkerId) -> Option<Exit<'_>> {
        let link = self.link(slot.link)?;
        let port = link.port(slot.number)?;
        let (queue, worker) = link.queues.exit(entry, worker);
        Some(Exit { slot, link, port, queue, worker })
    }

    /// The network at `slot`; `None` when it has no port here any longer.
    #[inline]
    #[must_use]
    pub fn network(&self, slot: NetworkSlot) -> Option<&Network> {
        self.networks.get(slot.0 as usize)
    }

    /// All links, in the order of their slots.
    pub fn links(&self) -> impl Iterator<Item = &LinkEntry> {
        self.links.iter()
    }

    /// All networks, in the order of their slots.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter()
    }

    /// The counters of the port at `slot`, or [`no_port`](Self::no_port) after its removal.
    #[inline]
    #[must_use]
    pub fn counters(&self, slot: PortSlot) -> &PortCounters {
        self.port(slot).map_or(&self.no_port, |port| &port.counters)
    }
}
