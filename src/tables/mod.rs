//! What the workers know: which logical port a tag stands for, where an address lives, how a port is reached.
//!
//! [`Tables`] is immutable. The control thread compiles one from the records and the links ([`Compiler`]) and
//! publishes it ([`Publisher`]); a worker looks at the newest once per burst ([`Reader`]).

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

pub use compiler::{Compiler, Touched};
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

/// Everything a worker needs to know to forward a frame.
///
/// It consists of pieces that one [`Tables`] shares with the next, so that a change costs as much as the pieces it
/// touches: a link with its ports, a network with its addresses.
#[derive(Debug, Clone)]
pub struct Tables {
    links: Pages<LinkEntry>,
    networks: Pages<Network>,
    /// The number of tables published before these.
    generation: u64,
    /// Counts what no port can be blamed for.
    pub no_port: PortCounters,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for any number.
    pub flood_rate: Option<NonZeroU32>,
    /// The fate of frames that no bridge forwards.
    pub reserved_multicast: ReservedMulticast,
}

/// Where the addresses of a network live. The hash has a fixed seed: it is quick, the same in each run, and who
/// could make addresses collide already writes the NB DB.
pub type MacTable = HashMap<MacAddr, PortSlot, FixedState>;

/// A network's ports on this host.
#[derive(Debug)]
pub struct Network {
    /// Its `unique_key`.
    pub key: NetworkKey,
    /// Where each address lives. One of `allowed_address_pairs` that several ports here claim has a
    /// [place of its own](Self::contested_at).
    pub macs: MacTable,
    contested: Vec<ContestedAddress>,
    /// The ports that are up.
    pub flood: Vec<PortSlot>,
}

impl Tables {
    /// Tables that know of nothing.
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

    /// The same with what `policy` sets for all ports.
    fn with(self, policy: &Policy) -> Self {
        let Policy { unknown_tags: _, flood_rate, reserved_multicast } = *policy;
        Self { flood_rate, reserved_multicast, ..self }
    }

    /// Tells published tables apart: each has a higher one than those before.
    #[inline]
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The link at `slot`; `None` once it is no longer ours.
    #[inline]
    #[must_use]
    pub fn link(&self, slot: LinkSlot) -> Option<&LinkEntry> {
        self.links.get(usize::from(slot.0))
    }

    /// The port at `slot`; `None` once it is gone.
    #[inline]
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Option<&Port> {
        self.link(slot.link)?.port(slot.number)
    }

    /// The way to the port at `slot` by `queue` of its link; `None` if `worker` does not own that queue, or the port is
    /// gone.
    #[inline]
    #[must_use]
    pub fn direct_exit(&self, slot: PortSlot, queue: QueueId, worker: WorkerId) -> Option<Exit<'_>> {
        let link = self.link(slot.link)?;
        let port = link.port(slot.number)?;
        link.queues.is_owner(queue, worker).then_some(Exit { slot, link, port, queue, worker })
    }

    /// The way to the port at `slot` for a frame that `worker` received from queue `entry` of any link; `None` once the
    /// port is gone.
    #[inline]
    #[must_use]
    pub fn exit(&self, slot: PortSlot, entry: QueueId, worker: WorkerId) -> Option<Exit<'_>> {
        let link = self.link(slot.link)?;
        let port = link.port(slot.number)?;
        let (queue, worker) = link.queues.exit(entry, worker);
        Some(Exit { slot, link, port, queue, worker })
    }

    /// The network at `slot`; `None` once it has no port here.
    #[inline]
    #[must_use]
    pub fn network(&self, slot: NetworkSlot) -> Option<&Network> {
        self.networks.get(slot.0 as usize)
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = &LinkEntry> {
        self.links.iter()
    }

    /// The networks.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter()
    }

    /// The counters of the port at `slot`.
    #[inline]
    #[must_use]
    pub fn counters(&self, slot: PortSlot) -> &PortCounters {
        self.port(slot).map_or(&self.no_port, |port| &port.counters)
    }
}
