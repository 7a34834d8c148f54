//! Where the frames of a network go beyond this host.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::Id;
use super::shorten::shorten;
use super::tunnel::{Tunnel, TunnelKeyError, TunnelType};
use super::vlan::{VlanId, VlanIdError};

/// The segment that carries a network between hosts. At most one network of the NB DB holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkSegment {
    /// Tunnels to the hosts with ports of the network.
    Tunnel(Tunnel),
    /// A VLAN of a physical network, or its untagged frames (`flat`).
    Provider(Id, Option<VlanId>),
}

/// As `vxlan 38`, `VLAN 100 of physical network physnet1`.
impl fmt::Display for NetworkSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(tunnel) => tunnel.fmt(f),
            Self::Provider(physical, Some(vid)) => write!(f, "VLAN {vid} of physical network {physical}"),
            Self::Provider(physical, None) => write!(f, "untagged frames of physical network {physical}"),
        }
    }
}

/// Fields of a network that name no segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The type is unknown.
    #[error(
        "its network_type {:?} is unknown, so it stays on this host: expected vxlan, geneve, gre, vlan, flat or local",
        shorten(.0)
    )]
    UnknownType(String),
    /// The type requires an id, and the record has none.
    #[error("its network_type {0} needs a segmentation_id, and it has none, so it stays on this host")]
    MissingId(&'static str),
    /// The type requires a physical network, and the record has none.
    #[error("its network_type {0} needs a physical_network, and it has none, so it stays on this host")]
    MissingPhysicalNetwork(&'static str),
    /// The id is no key of the tunnel type.
    #[error("{0}; it stays on this host")]
    Key(#[from] TunnelKeyError),
    /// The id is no VLAN id.
    #[error("segmentation_id {0}; it stays on this host")]
    Vlan(#[from] VlanIdError),
}

impl NetworkSegment {
    /// Decodes three fields of a record (Dragonflow's `LogicalSwitch`). `None` for a network that stays on
    /// its host: of type `local`, or without a type.
    ///
    /// # Errors
    /// [`SegmentError`], which has the value.
    pub fn decode(
        kind: Option<&str>,
        id: Option<u64>,
        physical: Option<&str>,
    ) -> Result<Option<Self>, SegmentError> {
        let physical = |kind| physical.map(Id::from).ok_or(SegmentError::MissingPhysicalNetwork(kind));
        match kind {
            None | Some("local") => Ok(None),
            Some("flat") => Ok(Some(Self::Provider(physical("flat")?, None))),
            Some("vlan") => {
                let id = id.ok_or(SegmentError::MissingId("vlan"))?;
                let vid = VlanId::new(u16::try_from(id).map_err(|_| VlanIdError(id))?)?;
                Ok(Some(Self::Provider(physical("vlan")?, Some(vid))))
            }
            Some(name) => {
                let kind =
                    TunnelType::named(name).ok_or_else(|| SegmentError::UnknownType(name.to_owned()))?;
                let key = id.ok_or(SegmentError::MissingId(kind.name()))?;
                Ok(Some(Self::Tunnel(Tunnel::new(kind, key)?)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(kind: &str, id: Option<u64>, physical: Option<&str>) -> Result<Option<String>, String> {
        let segment = NetworkSegment::decode(Some(kind), id, physical);
        segment.map(|segment| segment.map(|segment| segment.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_network_has_the_segment_of_its_type() {
        assert_eq!(decode("geneve", Some(7), None), Ok(Some("geneve 7".to_owned())));
        let vlan = decode("vlan", Some(100), Some("p1"));
        assert_eq!(vlan, Ok(Some("VLAN 100 of physical network p1".to_owned())));
        let flat = decode("flat", None, Some("p1"));
        assert_eq!(flat, Ok(Some("untagged frames of physical network p1".to_owned())));
        assert_eq!(decode("local", Some(7), Some("p1")), Ok(None));
        assert_eq!(NetworkSegment::decode(None, Some(7), None), Ok(None));
    }

    #[test]
    fn errors_name_the_value() {
        for (kind, id, physical, part) in [
            ("stt", Some(7), None, "\"stt\" is unknown"),
            ("vxlan", None, None, "vxlan needs a segmentation_id"),
            ("vxlan", Some(0), None, "0 is no segmentation_id of a vxlan network"),
            ("vlan", Some(4095), Some("p1"), "4095 is not a VLAN id"),
            ("vlan", Some(65_636), Some("p1"), "65636 is not a VLAN id"),
            ("vlan", None, Some("p1"), "vlan needs a segmentation_id"),
            ("vlan", Some(7), None, "vlan needs a physical_network"),
            ("flat", None, None, "flat needs a physical_network"),
        ] {
            let error = decode(kind, id, physical).unwrap_err();
            assert!(error.contains(part) && error.contains("stays on this host"), "{error}");
        }
    }
}
