//! What the workers know: which logical port a tag stands for, where an address lives, how a port is reached.
//!
//! [`Tables`] is immutable. The control thread compiles one from the records and the links ([`Compiler`]) and
//! publishes it ([`Publisher`]); a worker looks at the newest once per burst ([`Reader`]).

mod claims;
mod compiler;
mod contested;
mod counters;
mod dump;
mod flood_allowance;
mod frequent_values;
mod link_table;
mod mac_holders;
mod network;
mod pairs;
mod policy;
mod publish;
mod report;

use std::sync::Arc;

use arrayvec::ArrayVec;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::packet::{ETHERTYPE_DOT1Q, Tag};
use crate::types::{
    IfIndex, MacAddr, NetworkKey, PortKey, ReservedMulticast, SourceRules, UnknownTags, VlanId,
};

pub use compiler::{Compiler, Touched};
pub use contested::{Announcement, ContestedAddress};
pub use counters::{CounterBook, PortCounters, PortTotals, WorkerCounters};
pub use dump::TableDump;
pub use frequent_values::{FrequentValues, RECENT, Sighting};
pub use link_table::LocalLink;
pub use policy::Policy;
pub use publish::{Publisher, Reader};
pub use report::{PortReport, PortState};

/// How deep subports of subports may nest. Each level is a tag of four bytes in front of the frame.
pub const MAX_NESTING: usize = 8;

/// A worker's number, from 0.
pub type WorkerId = usize;

/// A link's place in [`Tables`], the same from its opening to its closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkSlot(pub u16);

/// A port's place in [`Tables`], the same as long as the port hangs on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSlot {
    /// The link that it hangs on.
    pub link: LinkSlot,
    /// Its number there; [`LINK_OWNER`] is the link's own port.
    pub number: u16,
}

impl PortSlot {
    /// No link has this slot. A port there stands for the holder of an address that several ports of a network claim.
    const CONTESTED: LinkSlot = LinkSlot(u16::MAX);

    /// Whether it stands for the holder of an address that several ports claim, [`Network::contested_at`] it.
    #[inline]
    #[must_use]
    pub const fn is_contested(self) -> bool {
        self.link.0 == Self::CONTESTED.0
    }
}

/// The number of the port that owns a link: the one that untagged frames come from.
pub const LINK_OWNER: u16 = 0;

/// A network's place in [`Tables`], the same as long as it has a port here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkSlot(pub u32);

/// Everything a worker needs to know to forward a frame.
///
/// It consists of pieces that one [`Tables`] shares with the next, so that a change costs as much as the pieces it
/// touches: a link with its ports, a network with its addresses.
#[derive(Debug, Clone)]
pub struct Tables {
    links: Vec<Option<Arc<LinkEntry>>>,
    networks: Vec<Option<Arc<Network>>>,
    /// The number of tables published before these.
    generation: u64,
    /// Counts what no port can be blamed for.
    pub no_port: PortCounters,
    /// Frames a second that one guest may cause beyond those it sends, for each worker; 0: any number.
    pub flood_rate: u32,
    /// The fate of frames that no bridge forwards.
    pub reserved_multicast: ReservedMulticast,
}

/// A device of this host whose frames come here, and the ports that hang on it.
#[derive(Debug)]
pub struct LinkEntry {
    /// The kernel's index of the device.
    pub ifindex: IfIndex,
    /// The worker of each of its queues.
    pub queues: Vec<WorkerId>,
    /// Whether the peer may leave TCP and UDP checksums partial.
    pub complete_checksums: bool,
    /// Bytes of the longest packet that it takes: what is behind the Ethernet header and all tags.
    pub mtu: usize,
    /// Bytes of the longest frame that can leave by it, tags and all.
    pub longest_frame: usize,
    /// By number.
    ports: Vec<Option<Port>>,
}

/// A logical port that lives on this host. One cache line, as a frame's port is rarely in the cache.
#[derive(Debug)]
#[repr(align(64))]
pub struct Port {
    /// Its `unique_key`.
    pub key: PortKey,
    /// Its network; `None` while it is down, and then it sends and receives nothing.
    pub network: Option<NetworkSlot>,
    /// The tags that tell it apart on its link, in the order in which they are pushed.
    pub tags: Tags,
    /// What tags on its frames mean, if any means something: it has segmentations, or takes no unknown tags.
    pub subports: Option<Box<VlanTable>>,
    /// What its frames' source addresses are looked at for: port security, addresses that it claims.
    pub source_rules: Option<Arc<SourceRules>>,
    /// Its counters.
    pub counters: PortCounters,
}

/// What there is to know of the way to a port, looked up once for a frame.
#[derive(Debug, Clone, Copy)]
pub struct Egress<'t> {
    /// The port's place.
    pub slot: PortSlot,
    /// Its link.
    pub link: &'t LinkEntry,
    /// The port.
    pub port: &'t Port,
}

/// The tags in front of a port's frames on its link, innermost first.
pub type Tags = ArrayVec<VlanId, MAX_NESTING>;

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

/// What a tag means on one parent port: an entry for each of the 4096 VIDs.
#[derive(Debug)]
pub struct VlanTable {
    link: LinkSlot,
    /// The subport's number on the link, or one of the three numbers below, which no port has. VID 4095 is reserved and
    /// no segmentation's: its entry is that of all other tags, whatever their TPID.
    meanings: [u16; 4096],
}

/// What a tag on a frame of a parent port means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagMeaning {
    /// No segmentation has it: the frame is the parent's, tag as it came.
    Parent,
    /// It stands for this subport.
    Subport(PortSlot),
    /// No segmentation has it, and the parent does not want it.
    Unwanted,
    /// A segmentation claims it, but its subport cannot be used. The frame is nobody's: least of all the parent's.
    Unusable,
}

impl VlanTable {
    const PARENT: u16 = u16::MAX;
    const UNUSABLE: u16 = u16::MAX - 1;
    const UNWANTED: u16 = u16::MAX - 2;
    const OTHER_TAGS: usize = 4095;

    /// A table without segmentations, for a port on `link`.
    fn empty(link: LinkSlot, unknown: UnknownTags) -> Box<Self> {
        let mut table = Box::new(Self { link, meanings: [Self::PARENT; 4096] });
        if unknown == UnknownTags::Drop {
            // But for VID 0, which names no VLAN.
            table.meanings.iter_mut().skip(1).for_each(|entry| *entry = Self::UNWANTED);
        }
        table
    }

    /// Whether tags that are no segmentation's are unwanted.
    fn drops_unknown_tags(&self) -> bool {
        self.meanings.get(Self::OTHER_TAGS) == Some(&Self::UNWANTED)
    }

    /// Says what `vid` means.
    fn set(&mut self, vid: VlanId, meaning: TagMeaning) {
        if let Some(entry) = self.meanings.get_mut(usize::from(vid.get())) {
            *entry = match meaning {
                TagMeaning::Parent => Self::PARENT,
                TagMeaning::Unwanted => Self::UNWANTED,
                TagMeaning::Unusable => Self::UNUSABLE,
                TagMeaning::Subport(slot) => slot.number,
            };
        }
    }

    /// What `tag` means. Only a tag with TPID 0x8100 is a segmentation's.
    #[inline]
    #[must_use]
    pub fn get(&self, tag: Tag) -> TagMeaning {
        let entry = if tag.tpid == ETHERTYPE_DOT1Q { usize::from(tag.tci.vid()) } else { Self::OTHER_TAGS };
        match self.meanings.get(entry) {
            None | Some(&Self::PARENT) => TagMeaning::Parent,
            Some(&Self::UNUSABLE) => TagMeaning::Unusable,
            Some(&Self::UNWANTED) => TagMeaning::Unwanted,
            Some(&number) => TagMeaning::Subport(PortSlot { link: self.link, number }),
        }
    }
}

impl LinkEntry {
    /// Ports of one link, at the most. Larger numbers have another meaning in a [`VlanTable`].
    const MAX_PORTS: u16 = VlanTable::UNWANTED;

    /// The port with this number; `None` once it is gone.
    #[inline]
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.get(usize::from(number))?.as_ref()
    }

    /// The ports that hang on the link.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().flatten()
    }
}

impl Tables {
    /// Tables that know of nothing.
    #[must_use]
    pub const fn empty(no_port: PortCounters) -> Self {
        Self {
            links: Vec::new(),
            networks: Vec::new(),
            generation: 0,
            no_port,
            flood_rate: 0,
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
        self.links.get(usize::from(slot.0))?.as_deref()
    }

    /// The port at `slot`; `None` once it is gone.
    #[inline]
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Option<&Port> {
        self.link(slot.link)?.port(slot.number)
    }

    /// The way to the port at `slot`; `None` once it is gone.
    #[inline]
    #[must_use]
    pub fn egress(&self, slot: PortSlot) -> Option<Egress<'_>> {
        let link = self.link(slot.link)?;
        Some(Egress { slot, link, port: link.port(slot.number)? })
    }

    /// The network at `slot`; `None` once it has no port here.
    #[inline]
    #[must_use]
    pub fn network(&self, slot: NetworkSlot) -> Option<&Network> {
        self.networks.get(slot.0 as usize)?.as_deref()
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = &LinkEntry> {
        self.links.iter().flatten().map(|link| &**link)
    }

    /// The networks.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter().flatten().map(|network| &**network)
    }

    /// The counters of the port at `slot`.
    #[inline]
    #[must_use]
    pub fn counters(&self, slot: PortSlot) -> &PortCounters {
        self.port(slot).map_or(&self.no_port, |port| &port.counters)
    }
}

/// Puts `piece` at `place` of a list of pieces.
fn put<T>(pieces: &mut Vec<Option<Arc<T>>>, place: usize, piece: Option<Arc<T>>) {
    if pieces.len() <= place {
        pieces.resize_with(place + 1, || None);
    }
    if let Some(entry) = pieces.get_mut(place) {
        *entry = piece;
    }
}
