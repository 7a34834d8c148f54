//! The terms of the project as types. Each is checked once, where it enters, and cannot hold an illegal value
//! afterwards. No I/O here.

mod by_reason;
pub mod drop_reason;
mod id;
mod incumbents;
mod key;
mod link;
mod link_role;
mod mac;
mod network_segment;
mod no_socket_policy;
mod printable;
mod problem;
mod reserved_multicast;
mod segmentation;
mod shorten;
mod slot_allocator;
mod sources;
mod tag_policy;
mod tunnel;
mod uplink_selection;
mod vlan;
mod wants;

pub use by_reason::ByReason;
pub use drop_reason::DropReason;
pub use id::Id;
pub use incumbents::{Claim, Incumbents};
pub use key::{KeyError, NetworkKey, PortKey};
pub use link::{IfIndex, QueueId};
pub use link_role::LinkRole;
pub use mac::{MacAddr, MacAddrError};
pub use network_segment::{NetworkSegment, SegmentError};
pub use no_socket_policy::NoSocketPolicy;
pub use printable::{is_control, printable, sentence};
pub use problem::Problem;
pub use reserved_multicast::ReservedMulticast;
pub use segmentation::{Segmentation, SegmentationError};
pub use shorten::{shorten, shorten_message};
pub use slot_allocator::SlotAllocator;
pub use sources::{AddressPair, AllowedSources, SourceRules};
pub use tag_policy::{TagPolicy, UnknownTags};
pub use tunnel::{Tunnel, TunnelKeyError, TunnelType, TunnelTypes};
pub use uplink_selection::UplinkSelection;
pub use vlan::{Pcp, Tci, VlanId, VlanIdError};
pub use wants::Wants;
