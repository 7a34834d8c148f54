//! Settings of the configuration that the tables contain.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::ConnectionPolicy;
use crate::types::{ReservedMulticast, TagPolicy};

/// The input of the tables beside records and links. The default is the behaviour of the specification,
/// without limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Outcome of frames with tags that no segmentation has.
    pub unknown_tags: TagPolicy,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for no limit.
    pub flood_rate: Option<NonZeroU32>,
    /// Outcome of frames to addresses that bridges do not forward.
    pub reserved_multicast: ReservedMulticast,
    /// How long the connections of filtered ports are remembered, and how many.
    pub connections: Arc<ConnectionPolicy>,
}
