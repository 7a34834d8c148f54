//! The forwarding tables: the port of each tag, the port of each address, the link and tags of each port.
//!
//! [`Tables`] is immutable. The control thread compiles one from the records and the links ([`Compiler`]) and
//! publishes it ([`Publisher`]); a worker loads the newest once per burst ([`Reader`]).

mod claims;
mod compiler;
mod contested;
mod counters;
mod dump;
mod frequent_values;
mod link;
mod link_table;
mod mac_holders;
mod network;
mod pages;
mod pairs;
mod policy;
mod port;
mod publish;
mod queue_owners;
mod report;
mod slots;
mod vlan_table;

use std::num::NonZeroU32;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::types::{MacAddr, NetworkKey, QueueId, ReservedMulticast};

use pages::Pages;

pub use compiler::{Compiler, PortIds};
pub use contested::{Announcement, ContestedAddress};
pub use counters::{CounterBook, PortCounters, PortTotals, WorkerCounters};
pub use dump::TableDump;
pub use frequent_values::{FrequentValues, RECENT, Sighting};
pub use link::LinkEntry;
pub use link_table::LocalLink;
pub use policy::Policy;
pub use port::{Exit, MAX_NESTING, Port, Tags, Wrap};
pub use publish::{Publisher, Reader};
pub use queue_owners::{QueueOwners, WorkerSet};
pub use report::{PortReport, PortState};
pub use slots::{LINK_OWNER, LinkSlot, MAX_WORKERS, NetworkSlot, PortSlot, WorkerId};
pub use vlan_table::{TagMeaning, VlanTable};

/// Everything that a worker needs to forward a frame.
///
/// One version shares unchanged entries with the next: links with their ports, networks with their addresses.
/// A change therefore costs as much as the entries that it concerns.
#[derive(Debug, Clone)]
pub struct Tables {
    links: Pages<LinkEntry>,
    networks: Pages<Network>,
    /// The number of tables published before these.
    generation: u64,
    /// Counters for drops that no port has caused.
    pub no_port: PortCounters,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for no limit.
    pub flood_rate: Option<NonZeroU32>,
    /// Outcome of frames to addresses that bridges do not forward.
    pub reserved_multicast: ReservedMulticast,
}

/// The slot of the port with each address of a network. The hash has a fixed seed, so it is fast and the same
/// in each run; only a writer of the NB DB could choose addresses that collide.
pub type MacTable = HashMap<MacAddr, PortSlot, FixedState>;

/// A network's ports on this host.
#[derive(Debug)]
pub struct Network {
    /// The `unique_key` of its record.
    pub key: NetworkKey,
    /// The port with each address. An address of `allowed_address_pairs` that several ports here claim has a
    /// [slot of its own](Self::contested_at).
    pub macs: MacTable,
    contested: Vec<ContestedAddress>,
    /// The ports that are up, which receive floods.
    pub flood: Vec<PortSlot>,
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
    fn with(self, policy: &Policy) -> Self {
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
