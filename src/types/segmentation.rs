//! How a subport's frames are told apart on its parent.

use std::fmt;

use super::{VlanId, VlanIdError, shorten};

/// What marks a frame of a parent port as a subport's.
///
/// This enum and its codec are all the model knows of tags. Another kind is a new variant here, its match in
/// `datapath/classify.rs` and its rewrite in `datapath/dispatch.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segmentation {
    /// The outermost tag is an 802.1Q tag (TPID 0x8100) with this VID.
    Vlan(VlanId),
}

/// A `segmentation_type` and `segmentation_id` that are no [`Segmentation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentationError {
    /// The type is one that this program does not forward (Dragonflow also knows `macvlan` and `ipvlan`).
    #[error("segmentation type {:?} is not supported: expected \"vlan\"", shorten(.0))]
    UnsupportedType(String),
    /// A type that carries an id came without one.
    #[error("segmentation type \"vlan\" needs a segmentation_id: expected 1 to 4094")]
    MissingId,
    /// The id is no VLAN id.
    #[error("segmentation_id {0}")]
    BadVlanId(#[from] VlanIdError),
}

impl Segmentation {
    /// Reads the record's two fields (Dragonflow's `ChildPortSegmentation`).
    ///
    /// # Errors
    /// [`SegmentationError`], which keeps the value.
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

    /// The record's `segmentation_type`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Vlan(_) => "vlan",
        }
    }

    /// The record's `segmentation_id`.
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
