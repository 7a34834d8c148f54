//! What the workers know: which logical port a tag stands for, where an address lives, how a port is reached.
//!
//! [`Tables`] is immutable. The control thread compiles one from the records and the links ([`compile()`]) and
//! publishes it ([`Publisher`]); a worker looks at the newest once per burst ([`Reader`]).

mod claims;
mod compile;
mod counters;
mod publish;
mod report;

use arrayvec::ArrayVec;
use hashbrown::HashMap;
use std::sync::Arc;

use crate::types::{IfIndex, MacAddr, NetworkKey, PortKey, VlanId};

pub use claims::Claims;
pub use compile::{Compiled, LocalLink, compile};
pub use counters::{CounterBook, PortCounters, PortTotals, WorkerCounters};
pub use publish::{Publisher, Reader};
pub use report::{PortReport, PortState};

/// How deep subports of subports may nest. Each level is a tag of four bytes in front of the frame.
pub const MAX_NESTING: usize = 8;

/// A worker's number, from 0.
pub type WorkerId = usize;

/// A link's place in [`Tables`], the same from its opening to its closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkSlot(pub u16);

/// A port's place in one [`Tables`]; another one may have another port there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSlot(pub u32);

/// A network's place in one [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkSlot(pub u32);

/// Everything a worker needs to know to forward a frame.
#[derive(Debug)]
pub struct Tables {
    links: Vec<Option<LinkEntry>>,
    ports: Vec<Port>,
    networks: Vec<Network>,
    slots: HashMap<PortKey, PortSlot>,
    /// Counts what no port can be blamed for.
    pub no_port: Arc<PortCounters>,
}

/// A device of this host whose frames come here.
#[derive(Debug)]
pub struct LinkEntry {
    /// The kernel's index of the device.
    pub ifindex: IfIndex,
    /// The logical port that untagged frames of this link come from.
    pub port: PortSlot,
    /// The worker of each of its queues.
    pub queues: Vec<WorkerId>,
    /// Whether the peer may leave TCP and UDP checksums partial.
    pub complete_checksums: bool,
}

/// A logical port that lives on this host.
#[derive(Debug)]
pub struct Port {
    /// Its `unique_key`.
    pub key: PortKey,
    /// Its network; `None` while it is down, and then it sends and receives nothing.
    pub network: Option<NetworkSlot>,
    /// How a frame gets to it.
    pub exit: Exit,
    /// Its subports, if it has segmentations.
    pub subports: Option<Box<VlanTable>>,
    /// Its counters.
    pub counters: Arc<PortCounters>,
}

/// The way out to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The link it is behind.
    pub link: LinkSlot,
    /// The tags that tell it apart there, in the order in which they are pushed.
    pub tags: ArrayVec<VlanId, MAX_NESTING>,
}

/// A network's ports on this host.
#[derive(Debug)]
pub struct Network {
    /// Its `unique_key`.
    pub key: NetworkKey,
    /// Where each address lives.
    pub macs: HashMap<MacAddr, PortSlot>,
    /// The ports that are up.
    pub flood: Vec<PortSlot>,
}

/// What a VID means on one parent port: an entry for each of the 4096.
#[derive(Debug)]
pub struct VlanTable([u32; 4096]);

/// What a tag on a frame of a parent port means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagMeaning {
    /// No segmentation has it: the frame is the parent's, tag as it came.
    Parent,
    /// It stands for this subport.
    Subport(PortSlot),
    /// A segmentation claims it, but its subport cannot be used. The frame is nobody's: least of all the parent's.
    Unusable,
}

impl VlanTable {
    const PARENT: u32 = u32::MAX;
    const UNUSABLE: u32 = u32::MAX - 1;

    /// A table without segmentations.
    #[must_use]
    pub fn empty() -> Box<Self> {
        Box::new(Self([Self::PARENT; 4096]))
    }

    /// Says what `vid` means.
    pub fn set(&mut self, vid: VlanId, meaning: TagMeaning) {
        if let Some(entry) = self.0.get_mut(usize::from(vid.get())) {
            *entry = match meaning {
                TagMeaning::Parent => Self::PARENT,
                TagMeaning::Unusable => Self::UNUSABLE,
                TagMeaning::Subport(PortSlot(slot)) => slot,
            };
        }
    }

    /// What `vid` means.
    #[inline]
    #[must_use]
    pub fn get(&self, vid: VlanId) -> TagMeaning {
        match self.0.get(usize::from(vid.get())) {
            None | Some(&Self::PARENT) => TagMeaning::Parent,
            Some(&Self::UNUSABLE) => TagMeaning::Unusable,
            Some(&slot) => TagMeaning::Subport(PortSlot(slot)),
        }
    }
}

impl Tables {
    /// Tables that know of nothing.
    #[must_use]
    pub fn empty(no_port: Arc<PortCounters>) -> Self {
        Self { links: Vec::new(), ports: Vec::new(), networks: Vec::new(), slots: HashMap::new(), no_port }
    }

    /// The link at `slot`; `None` once it is no longer ours.
    #[inline]
    #[must_use]
    pub fn link(&self, slot: LinkSlot) -> Option<&LinkEntry> {
        self.links.get(usize::from(slot.0))?.as_ref()
    }

    /// The port at `slot`. Slots of these very tables always name one.
    #[inline]
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Option<&Port> {
        self.ports.get(slot.0 as usize)
    }

    /// The network at `slot`. Slots of these very tables always name one.
    #[inline]
    #[must_use]
    pub fn network(&self, slot: NetworkSlot) -> Option<&Network> {
        self.networks.get(slot.0 as usize)
    }

    /// The slot of the port with this key.
    #[inline]
    #[must_use]
    pub fn slot_of(&self, key: PortKey) -> Option<PortSlot> {
        self.slots.get(&key).copied()
    }

    /// The counters of the port at `slot`.
    #[inline]
    #[must_use]
    pub fn counters(&self, slot: PortSlot) -> &PortCounters {
        self.port(slot).map_or(&self.no_port, |port| &port.counters)
    }
}
