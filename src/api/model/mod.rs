//! The answers of the socket as types: the daemon builds them, the CLI prints them, and `--json` prints them
//! unchanged.

mod outside;
mod security_groups;
mod state;
mod stats;

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use crate::kernel::inspect::XdpMode;
use crate::types::{IfIndex, MacAddr, NetworkKey, NoSocketPolicy, PortKey};

pub use outside::{OutsideStats, OutsideSubject, PathView, PeerView, UplinkView};
pub use security_groups::{
    ConnectionView, ConnectionsRequest, ConnectionsView, EndView, GroupView, RuleView, UnclearRuleView,
};
pub use state::{ChassisRecord, DownKind, DownReason, NbState, PortState, StaleReason};
pub use stats::{ChunkCensus, LinkStats, PortStats, SocketStats, StatsView};

/// A logical port that has a link of its own here: a parent, or a port without subports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    /// Id of the record in table `lport`.
    pub lport: String,
    /// The lport's name; may be empty, and need not be unique.
    pub name: String,
    /// The link's name, while there is one.
    pub link: Option<String>,
    /// The link's index, while there is one.
    pub ifindex: Option<IfIndex>,
    /// How the XDP program is attached, while it is.
    pub mode: Option<XdpMode>,
    /// RX queues of the link, each with a socket; 0 while the port is down.
    pub queues: u16,
    /// The id of the port's lswitch.
    pub network: String,
    /// The `unique_key` of the record.
    pub key: PortKey,
    /// The port's own addresses, without those of `allowed_address_pairs`.
    pub macs: Vec<MacAddr>,
    /// What the XDP program does with frames while no socket is there.
    pub no_socket: NoSocketPolicy,
    /// Whether a link that only supports generic XDP is used.
    pub allow_generic: bool,
    /// Whether partial checksums are completed.
    pub complete_checksums: bool,
    /// Whether the port forwards.
    #[serde(flatten)]
    pub state: PortState,
    /// Tags of frames from the port that no segmentation of it has, most frequent first.
    pub unknown_tags: Vec<UnknownTagView>,
    /// Source addresses that port security rejected, most frequent first.
    pub refused_macs: Vec<RefusedMacView>,
}

/// A logical port behind a parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubportView {
    /// Id of the record in table `lport`.
    pub lport: String,
    /// The lport's name; may be empty, and need not be unique.
    pub name: String,
    /// The parent's lport id.
    pub parent: String,
    /// The `segmentation_type` of the record.
    pub segmentation_type: String,
    /// The `segmentation_id` of the record.
    pub segmentation_id: Option<u64>,
    /// The id of the port's lswitch.
    pub network: String,
    /// The `unique_key` of the record.
    pub key: PortKey,
    /// The port's own addresses, without those of `allowed_address_pairs`.
    pub macs: Vec<MacAddr>,
    /// Whether the port forwards.
    #[serde(flatten)]
    pub state: PortState,
    /// Tags of frames from the port that no segmentation of it has, most frequent first.
    pub unknown_tags: Vec<UnknownTagView>,
    /// Source addresses that port security rejected, most frequent first.
    pub refused_macs: Vec<RefusedMacView>,
}

/// A tag that a guest sends by mistake. A port lists the most frequent, at least eight of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownTagView {
    /// `0x8100` (802.1Q) or `0x88a8` (802.1ad).
    pub tpid: String,
    /// The VID, 0 to 4095.
    pub vid: u16,
    /// Frames with this tag.
    pub frames: u64,
    /// Time since the last of them.
    pub seconds_ago: u64,
}

/// A MAC address that a guest sends from, or announces, by mistake. A port lists the most frequent, at least
/// eight of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMacView {
    /// The rejected source address.
    pub mac: MacAddr,
    /// Frames from this address.
    pub frames: u64,
    /// Time since the last of them.
    pub seconds_ago: u64,
}

/// A logical switch and its ports on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// Id of the record in table `lswitch`.
    pub lswitch: String,
    /// The `name` of the record.
    pub name: String,
    /// The `unique_key` of the record.
    pub key: NetworkKey,
    /// The network's ports and subports.
    pub ports: Vec<NetworkPortView>,
}

/// A port or subport as its network lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPortView {
    /// Id of the record in table `lport`.
    pub lport: String,
    /// The `unique_key` of the record.
    pub key: PortKey,
    /// The port's own addresses, without those of `allowed_address_pairs`.
    pub macs: Vec<MacAddr>,
    /// The addresses in its `allowed_address_pairs` that are not its own.
    pub pairs: Vec<PairView>,
    /// Whether the port forwards.
    #[serde(flatten)]
    pub state: PortState,
}

/// A MAC address in `allowed_address_pairs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairView {
    /// The `mac_address` of the pair.
    pub mac: MacAddr,
    /// The lport on this host to which frames for the address are delivered; `null` while none of several
    /// holds it, or when its owner is not up here.
    pub holder: Option<String>,
}

/// A worker: one thread that forwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// The worker's number, from 0.
    pub worker: usize,
    /// The CPU that it is pinned to.
    pub cpu: usize,
    /// The queues that it owns, each as `link/number`.
    pub queues: Vec<String>,
    /// Whether it sleeps in `poll` for lack of frames.
    pub sleeping: bool,
    /// Frames that other workers handed over and that it has not received yet.
    pub handover_queued: u64,
}

/// A frame whose route is traced. It is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRequest {
    /// The id of the lport by whose link the frame comes in.
    pub port: String,
    /// The frame from the destination address on, without FCS.
    pub frame: Hex,
}

/// The route of a frame through the tables in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TraceView {
    /// Each step with an effect, in order.
    pub steps: Vec<TraceStep>,
    /// Each frame that would be sent.
    pub outputs: Vec<TraceOutput>,
    /// Each frame that would be dropped.
    pub drops: Vec<TraceDrop>,
}

/// The effect of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The step's name: `classify`, `antispoof`, `destination`, `dispatch`, ...
    pub step: String,
    /// The effect in words, for people.
    pub what: String,
}

/// A frame that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceOutput {
    /// The link that it leaves by.
    pub link: String,
    /// The id of the lport that receives it.
    pub port: String,
    /// The lport's name, which may be empty.
    pub name: String,
    /// The frame as it leaves, tags included, without FCS.
    pub frame: Hex,
}

/// A frame, or a copy of one, that would be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceDrop {
    /// The id of the lport at which the drop is counted, or `-`.
    pub port: String,
    /// The drop reason's name.
    pub reason: String,
}

/// The state of this host's session with the NB DB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NbView {
    /// The DB's URL without the password.
    pub url: String,
    /// Whether the records in force are those of the DB.
    #[serde(flatten)]
    pub state: NbState,
    /// The revision of the records in force.
    pub revision: Option<u64>,
    /// Upper bound of the age of the records in force, in seconds.
    pub age_seconds: Option<f64>,
    /// The message of the store, while the DB cannot be read.
    pub error: Option<String>,
    /// The state of this host's record in table `chassis`.
    pub chassis_record: ChassisRecord,
    /// Number of this host's ports that the DB has as up: the last report that it accepted, until that
    /// expires.
    pub reported_up: u64,
    /// Number of its records that are invalid or in conflict; `GET /v1/problems` lists them.
    pub unusable: u64,
}
