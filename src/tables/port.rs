//! A logical port on a link of this host.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{Identity, NetworkSlot, PortCounters, PortFilter, VlanTable};
use crate::types::{SourceRules, VlanId};

/// Maximum depth of nested subports. Each level is a tag of four bytes in front of the frame.
pub const MAX_NESTING: usize = 8;

/// A logical port that a link of this host carries; or the segment of a provider network on an uplink, which
/// is the port to everything that the physical network connects.
#[derive(Debug)]
#[repr(align(64))]
pub struct Port {
    /// The port of the record, or the segment of a provider network.
    pub identity: Identity,
    /// Slot of its network; `None` while the port is down: it sends and receives no frames then.
    pub network: Option<NetworkSlot>,
    /// The tags in front of its frames on the link.
    pub tags: Tags,
    /// The meaning of tags on its frames; `None` for a port without segmentations that accepts unknown tags.
    pub subports: Option<Box<VlanTable>>,
    /// What its security groups allow; `None` for a port that is not filtered.
    pub filter: Option<PortFilter>,
    /// Rules for the source addresses of its frames: port security, addresses that it claims.
    pub source_rules: Option<Arc<SourceRules>>,
    /// Counters by worker, shared with later tables.
    pub counters: PortCounters,
}

// One cache line: the port of a frame is rarely in the cache.
const _: () = assert!(size_of::<Port>() == 64);

/// The tags in front of a port's frames on its link, innermost first; none for the link's own port.
pub type Tags = ArrayVec<VlanId, MAX_NESTING>;
