//! A logical port on a link of this host, and the way out to it.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{LinkEntry, NetworkSlot, PortCounters, PortSlot, VlanTable, WorkerId};
use crate::packet::dot1q::TAG_LEN;
use crate::types::{PortKey, QueueId, SourceRules, VlanId};

/// How deep subports of subports may nest. Each level is a tag of four bytes in front of the frame.
pub const MAX_NESTING: usize = 8;

/// A logical port that lives on this host.
#[derive(Debug)]
#[repr(align(64))]
pub struct Port {
    /// Its `unique_key`.
    pub key: PortKey,
    /// Its network; `None` while it is down, and then it sends and receives nothing.
    pub network: Option<NetworkSlot>,
    /// What its frames leave in.
    pub wrap: Wrap,
    /// The meaning of tags on its frames, if any has one: the port has segmentations, or takes no unknown tags.
    pub subports: Option<Box<VlanTable>>,
    /// What the source addresses of its frames are checked for: port security, addresses that it claims.
    pub source_rules: Option<Arc<SourceRules>>,
    /// Its counters.
    pub counters: PortCounters,
}

// One cache line: the port of a frame is rarely in the cache.
const _: () = assert!(size_of::<Port>() == 64);

/// The outer headers by which a link's peer tells the frames of its ports apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrap {
    /// 802.1Q tags; none for the link's own port.
    Tags(Tags),
}

/// The tags in front of a port's frames on its link, innermost first.
pub type Tags = ArrayVec<VlanId, MAX_NESTING>;

impl Wrap {
    /// Bytes that a frame grows by.
    #[inline]
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let Self::Tags(tags) = self;
        tags.len() * TAG_LEN
    }
}

/// The way to a port, looked up once for a frame.
#[derive(Debug, Clone, Copy)]
pub struct Exit<'t> {
    /// The port's place.
    pub slot: PortSlot,
    /// Its link.
    pub link: &'t LinkEntry,
    /// The port.
    pub port: &'t Port,
    /// The queue of the link.
    pub queue: QueueId,
    /// The worker that owns the queue.
    pub worker: WorkerId,
}
