//! The parts of an 802.1Q tag (IEEE Std 802.1Q-2022, 9.6).

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

/// A VLAN identifier that names a VLAN: 1 to 4094.
///
/// 0 (a priority tag: the frame belongs to no VLAN) and 4095 (reserved) are not `VlanId`s, so no port can be
/// mapped to them. `Option<VlanId>` takes two bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct VlanId(NonZeroU16);

const _: () = assert!(size_of::<Option<VlanId>>() == 2);

/// A number that is no [`VlanId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a VLAN id: expected 1 to 4094")]
pub struct VlanIdError(pub u64);

impl VlanId {
    /// The smallest VLAN identifier.
    pub const MIN: Self = Self(NonZeroU16::MIN);
    /// The largest VLAN identifier.
    pub const MAX: Self = match NonZeroU16::new(4094) {
        Some(vid) => Self(vid),
        None => Self::MIN,
    };

    /// Checks the range of `vid`.
    ///
    /// # Errors
    /// [`VlanIdError`] when `vid` is 0, 4095 or more.
    pub const fn new(vid: u16) -> Result<Self, VlanIdError> {
        match NonZeroU16::new(vid) {
            Some(id) if vid <= 4094 => Ok(Self(id)),
            _ => Err(VlanIdError(vid as u64)),
        }
    }

    /// The identifier as a number, host byte order.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u16> for VlanId {
    type Error = VlanIdError;

    fn try_from(vid: u16) -> Result<Self, VlanIdError> {
        Self::new(vid)
    }
}

impl From<VlanId> for u16 {
    fn from(vid: VlanId) -> u16 {
        vid.get()
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VlanId({self})")
    }
}

/// Tag control information as in a frame: PCP (3 bits), DEI (1 bit), VID (12 bits), host byte order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tci(u16);

/// The priority of a frame: PCP and DEI of its tag, without the VID.
///
/// It outlives the tag: it is kept when a tag is stripped and written when one is pushed. The default (0) is
/// that of an untagged frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pcp(u16);

impl Tci {
    const VID_MASK: u16 = 0x0fff;

    /// Decodes the two bytes after the TPID.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }

    /// The two bytes after the TPID.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// A tag for `vid` that carries `pcp`.
    #[must_use]
    pub const fn new(vid: VlanId, pcp: Pcp) -> Self {
        Self(vid.get() | pcp.0)
    }

    /// The VID, unless it is 0 (priority tag) or 4095 (reserved).
    #[must_use]
    pub const fn vlan_id(self) -> Option<VlanId> {
        match VlanId::new(self.vid()) {
            Ok(vid) => Some(vid),
            Err(_) => None,
        }
    }

    /// The raw 12 VID bits, 0 and 4095 included.
    #[must_use]
    pub const fn vid(self) -> u16 {
        self.0 & Self::VID_MASK
    }

    /// The priority, without the VID.
    #[must_use]
    pub const fn pcp(self) -> Pcp {
        Pcp(self.0 & !Self::VID_MASK)
    }
}

impl Pcp {
    /// Priority 0 to 7 (values above are masked) and the drop-eligible bit.
    #[must_use]
    pub const fn new(priority: u8, drop_eligible: bool) -> Self {
        Self(((priority as u16 & 7) << 13) | ((drop_eligible as u16) << 12))
    }

    /// The priority code point, 0 to 7.
    #[must_use]
    pub const fn priority(self) -> u8 {
        (self.0 >> 13) as u8
    }

    /// The drop-eligible indicator (DEI).
    #[must_use]
    pub const fn drop_eligible(self) -> bool {
        self.0 & 0x1000 != 0
    }
}

impl fmt::Debug for Tci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tci(vid {}, {:?})", self.vid(), self.pcp())
    }
}

impl fmt::Debug for Pcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcp({}{})", self.priority(), if self.drop_eligible() { ", DEI" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_id_is_1_to_4094() {
        for vid in 0..=u16::MAX {
            assert_eq!(VlanId::new(vid).is_ok(), (1..=4094).contains(&vid), "{vid}");
        }
    }

    #[test]
    fn tci_parts_come_back_from_the_wire_form() {
        for raw in 0..=u16::MAX {
            let tci = Tci::from_be_bytes(raw.to_be_bytes());
            assert_eq!(tci.to_be_bytes(), raw.to_be_bytes());
            if let Some(vid) = tci.vlan_id() {
                assert_eq!(Tci::new(vid, tci.pcp()), tci);
            }
            assert_eq!(Pcp::new(tci.pcp().priority(), tci.pcp().drop_eligible()), tci.pcp());
        }
    }
}
