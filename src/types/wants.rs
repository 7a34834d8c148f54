//! Steps that only some frames need.

use bitflags::bitflags;

bitflags! {
    /// The steps that a frame needs beyond those of all frames.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Wants: u8 {
        /// The source port has [rules](super::SourceRules) for source addresses; or it has segmentations, and
        /// the frame has a tag that no segmentation has.
        const ANTISPOOF = 1;
        /// The sender may have left the checksum of the frame partial.
        const CHECKSUM = 2;
        /// The frame came in by an uplink: it may be a tunnel packet, and cannot be from a port of this host.
        const OUTSIDE = 4;
        /// A port on the link is filtered by security groups.
        const PERMIT = 8;
    }
}
