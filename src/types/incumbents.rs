//! Holders of what two or more records claim.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id::Id;
use super::key::{NetworkKey, PortKey};
use super::link::IfIndex;
use super::mac::MacAddr;
use super::network_segment::NetworkSegment;
use super::vlan::VlanId;

/// Something that at most one record can hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The `unique_key` of a port; held by a port.
    PortKey(PortKey),
    /// The `unique_key` of a network; held by a network.
    NetworkKey(NetworkKey),
    /// A VID of this parent; held by a segmentation.
    Tag(Id, VlanId),
    /// This port as subport; held by a segmentation.
    Subport(Id),
    /// An address on this network; held by a port.
    Mac(Id, MacAddr),
    /// A segment between hosts; held by a network.
    Segment(NetworkSegment),
    /// A link of this host; held by a port.
    Link(IfIndex),
    /// A tunnel endpoint of another host; held by a chassis.
    Endpoint(IpAddr),
}

impl From<PortKey> for Claim {
    fn from(key: PortKey) -> Self {
        Self::PortKey(key)
    }
}

impl From<NetworkKey> for Claim {
    fn from(key: NetworkKey) -> Self {
        Self::NetworkKey(key)
    }
}

/// The claim of a kind of record without unique keys.
impl From<Infallible> for Claim {
    fn from(key: Infallible) -> Self {
        match key {}
    }
}

/// The holders of contested claims, which two or more records make. A claim of only one record has no entry.
pub type Incumbents = BTreeMap<Claim, Id>;
