//! Who held what two or more claim.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Id, IfIndex, MacAddr, NetworkKey, PortKey, VlanId};

/// Something that one record at most can have.
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
    /// A link; held by a port.
    Link(IfIndex),
}

/// The holders of contested claims: those that two or more records make. What only one record claims needs no entry.
pub type Incumbents = BTreeMap<Claim, Id>;
