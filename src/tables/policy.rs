//! What an operator decides about all ports.

use std::num::NonZeroU32;

use crate::types::{ReservedMulticast, TagPolicy};

/// What goes into the tables beside records and links. The default is the specification's way, without limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The fate of frames with tags that no segmentation has.
    pub unknown_tags: TagPolicy,
    /// Frames a second that one guest may cause beyond those it sends, on each worker; `None` for any number.
    pub flood_rate: Option<NonZeroU32>,
    /// The fate of frames that no bridge forwards.
    pub reserved_multicast: ReservedMulticast,
}
