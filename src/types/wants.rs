//! Steps that not every frame needs.

use bitflags::bitflags;

bitflags! {
    /// The steps that a frame needs beyond those that each one takes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Wants: u8 {
        /// The frame's port has [rules](super::SourceRules) for source addresses; or it has segmentations, and the frame
        /// a tag that no segmentation has.
        const ANTISPOOF = 1;
        /// The sender may have left the frame's checksum partial.
        const CHECKSUM = 2;
    }
}
