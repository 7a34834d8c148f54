//! A logical port on a link of this host.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{NetworkSlot, PortCounters, VlanTable};
use crate::packet::dot1q::TAG_LEN;
use crate::types::{PortKey, SourceRules, VlanId};

/// Maximum depth of nested subports. Each level is a tag of four bytes in front of the frame.
pub const MAX_NESTING: usize = 8;

/// A logical port that a link of this host carries.
#[derive(Debug)]
#[repr(align(64))]
pub struct Port {
    /// The `unique_key` of its record.
    pub key: PortKey,
    /// Slot of its network; `None` while the port is down: it sends and receives no frames then.
    pub network: Option<NetworkSlot>,
    /// Outer headers of the frames to it.
    pub wrap: Wrap,
    /// The meaning of tags on its frames; `None` for a port without segmentations that accepts unknown tags.
    pub subports: Option<Box<VlanTable>>,
    /// Rules for the source addresses of its frames: port security, addresses that it claims.
    pub source_rules: Option<Arc<SourceRules>>,
    /// Counters by worker, shared with later tables.
    pub counters: PortCounters,
}

// One cache line: the port of a frame is rarely in the cache.
const _: () = assert!(size_of::<Port>() == 64);

/// The outer headers by which the peer of a link distinguishes the frames of its ports.
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
