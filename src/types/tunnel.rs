//! How the frames of a network are told apart between hosts.

use std::fmt;
use std::num::NonZeroU32;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

/// The encapsulation of a network's frames between hosts, a `network_type` of the NB DB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelType {
    /// VXLAN (RFC 7348), UDP port 4789.
    Vxlan,
    /// Geneve (RFC 8926) without options, UDP port 6081.
    Geneve,
    /// GRE (RFC 2784) with a key (RFC 2890) around Ethernet frames (protocol 0x6558).
    Gre,
}

impl TunnelType {
    /// All types, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Vxlan, Self::Geneve, Self::Gre];

    /// The UDP destination port of VXLAN (RFC 7348, 5).
    pub const VXLAN_PORT: u16 = 4789;
    /// The UDP destination port of Geneve (RFC 8926, 3.3).
    pub const GENEVE_PORT: u16 = 6081;

    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The UDP destination port; `None` for GRE, which is an IP protocol of its own.
    #[must_use]
    pub const fn udp_port(self) -> Option<u16> {
        match self {
            Self::Vxlan => Some(Self::VXLAN_PORT),
            Self::Geneve => Some(Self::GENEVE_PORT),
            Self::Gre => None,
        }
    }

    /// The highest key: a VNI has 24 bits, a GRE key 32.
    #[must_use]
    pub const fn max_key(self) -> u32 {
        match self {
            Self::Vxlan | Self::Geneve => 0x00ff_ffff,
            Self::Gre => u32::MAX,
        }
    }
}

impl fmt::Display for TunnelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

bitflags! {
    /// A set of [`TunnelType`]s, the `tunnel_types` of a chassis.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TunnelTypes: u8 {
        /// The bit of [`TunnelType::Vxlan`].
        const VXLAN = 1;
        /// The bit of [`TunnelType::Geneve`].
        const GENEVE = 2;
        /// The bit of [`TunnelType::Gre`].
        const GRE = 4;
    }
}

impl From<TunnelType> for TunnelTypes {
    fn from(kind: TunnelType) -> Self {
        match kind {
            TunnelType::Vxlan => Self::VXLAN,
            TunnelType::Geneve => Self::GENEVE,
            TunnelType::Gre => Self::GRE,
        }
    }
}

/// The names, as `vxlan, gre`.
impl fmt::Display for TunnelTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = TunnelType::ALL.into_iter().filter(|kind| self.contains((*kind).into()));
        f.write_str(&names.map(TunnelType::name).collect::<Vec<_>>().join(", "))
    }
}

/// The tunnel of a network: the type, and the key by which the network is found in that type. Two types have
/// separate keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tunnel {
    kind: TunnelType,
    key: NonZeroU32,
}

/// A `segmentation_id` that is no key of a tunnel type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{key} is no segmentation_id of a {kind} network: expected 1 to {max}", max = kind.max_key())]
pub struct TunnelKeyError {
    /// The type of the network.
    pub kind: TunnelType,
    /// The number that was rejected.
    pub key: u64,
}

impl Tunnel {
    /// Checks the range of the key.
    ///
    /// # Errors
    /// [`TunnelKeyError`] when `key` is 0 or over [`TunnelType::max_key`].
    pub fn new(kind: TunnelType, key: u64) -> Result<Self, TunnelKeyError> {
        let checked = u32::try_from(key).ok().filter(|key| *key <= kind.max_key());
        let key = checked.and_then(NonZeroU32::new).ok_or(TunnelKeyError { kind, key })?;
        Ok(Self { kind, key })
    }

    /// The encapsulation of its frames.
    #[must_use]
    pub const fn kind(self) -> TunnelType {
        self.kind
    }

    /// The VNI or GRE key, host byte order.
    #[must_use]
    pub const fn key(self) -> u32 {
        self.key.get()
    }
}

/// Type and key, as `vxlan 38`.
impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vni_has_24_bits_and_a_gre_key_32() {
        for kind in [TunnelType::Vxlan, TunnelType::Geneve] {
            for (key, is_valid) in [(0, false), (1, true), (0xff_ffff, true), (0x100_0000, false)] {
                assert_eq!(Tunnel::new(kind, key).is_ok(), is_valid, "{kind} {key}");
            }
        }
        for (key, is_valid) in [(0, false), (0x100_0000, true), (0xffff_ffff, true), (1 << 32, false)] {
            assert_eq!(Tunnel::new(TunnelType::Gre, key).is_ok(), is_valid, "gre {key}");
        }
        let error = Tunnel::new(TunnelType::Geneve, 0x100_0000).unwrap_err().to_string();
        assert_eq!(error, "16777216 is no segmentation_id of a geneve network: expected 1 to 16777215");
    }

    #[test]
    fn a_type_has_the_name_of_its_records() {
        assert_eq!(TunnelType::named("geneve"), Some(TunnelType::Geneve));
        assert_eq!(TunnelType::named("stt"), None);
        let types = TunnelTypes::VXLAN | TunnelTypes::GRE;
        assert_eq!(types.to_string(), "vxlan, gre");
    }
}
