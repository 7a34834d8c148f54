//! The frames of an uplink that belong to the switch.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::VlanId;

/// The frames of an uplink that belong to the switch; all others are the host's. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UplinkSelection {
    /// This host's tunnel endpoint: packets to it with UDP port 4789 or 6081, or with Ethernet in GRE.
    pub ipv4: Option<Ipv4Addr>,
    /// The same for IPv6; not the unspecified address.
    pub ipv6: Option<Ipv6Addr>,
    /// The provider networks of type `vlan`: frames with these VIDs in an 802.1Q tag.
    pub vids: BTreeSet<VlanId>,
    /// Whether a provider network is `flat`: all frames without a tag, or with a priority tag (VID 0).
    pub has_flat_network: bool,
}
