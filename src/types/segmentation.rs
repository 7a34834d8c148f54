//! How the frames of a subport are marked on its parent.

use std::fmt;

use super::shorten::shorten;
use super::vlan::{VlanId, VlanIdError};

/// The mark by which a frame of a parent belongs to a subport.
///
/// Another kind of segmentation is a new variant here, its match in the step that classifies frames and its
/// rewrite in the step that encapsulates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segmentation {
    /// The outermost tag is an 802.1Q tag (TPID 0x8100) with this VID.
    Vlan(VlanId),
}

/// A `segmentation_type` and `segmentation_id` that are no [`Segmentation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentationError {
    /// The type is not supported (Dragonflow also has `macvlan` and `ipvlan`).
    #[error("segmentation type {:?} is not supported: expected \"vlan\"", shorten(.0))]
    UnsupportedType(String),
    /// The type requires an id, and the record has none.
    #[error("segmentation type \"vlan\" needs a segmentation_id: expected 1 to 4094")]
    MissingId,
    /// The id is not a VLAN id.
    #[error("segmentation_id {0}")]
    BadVlanId(#[from] VlanIdError),
}

impl Segmentation {
    /// Decodes two fields of a record (Dragonflow's `ChildPortSegmentation`).
    ///
    /// # Errors
    /// [`SegmentationError`], which has the value.
    pub fn decode(kind: &str, id: Option<u64>) -> Result<Self, SegmentationError> {
        match (kind, id) {
            ("vlan", Some(id)) => {
                let vid = u16::try_from(id).map_err(|_| VlanIdError(id))?;
                Ok(Self::Vlan(VlanId::new(vid)?))
            }
            ("vlan", None) => Err(SegmentationError::MissingId),
            (kind, _) => Err(SegmentationError::UnsupportedType(kind.to_owned())),
        }
    }

    /// The `segmentation_type` of the record.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Vlan(_) => "vlan",
        }
    }

    /// The `segmentation_id` of the record.
    #[must_use]
    pub const fn id(self) -> Option<u64> {
        match self {
            Self::Vlan(vid) => Some(vid.get() as u64),
        }
    }
}

impl fmt::Display for Segmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlan(vid) => write!(f, "vlan {vid}"),
        }
    }
}
