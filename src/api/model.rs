//! What the socket answers, as types: the control thread fills them, the CLI prints them, `--json` shows them
//! as they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Hex;
use crate::kernel::inspect::XdpMode;
use crate::types::{IfIndex, MacAddr, NetworkKey, NoSocketPolicy, PortKey};

/// The [`PortView::state`] of a port that forwards. Any other text says why it does not.
pub const UP: &str = "up";

/// A logical port that has a device of its own here: a parent, or a port without subports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    /// The lport's id.
    pub lport: String,
    /// The lport's name.
    pub name: String,
    /// The device's name, while there is one.
    pub device: Option<String>,
    /// The device's index, while there is one.
    pub ifindex: Option<IfIndex>,
    /// How the XDP program is attached, while it is.
    pub mode: Option<XdpMode>,
    /// RX queues, that is, sockets.
    pub queues: u16,
    /// The id of the lswitch.
    pub network: String,
    /// The `unique_key`.
    pub key: PortKey,
    /// Its own addresses.
    pub macs: Vec<MacAddr>,
    /// What becomes of frames while no socket is there.
    pub no_socket: NoSocketPolicy,
    /// Whether a link that only does generic XDP is taken.
    pub allow_generic: bool,
    /// Whether partial checksums are completed.
    pub complete_checksums: bool,
    /// [`UP`], or why not.
    pub state: String,
    /// Tags from the port that no segmentation of it has, most frequent first.
    pub unknown_tags: Vec<UnknownTagView>,
    /// MAC addresses that port security did not let the port use, most frequent first.
    pub refused_macs: Vec<RefusedMacView>,
}

/// A logical port behind a parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubportView {
    /// The lport's id.
    pub lport: String,
    /// The lport's name.
    pub name: String,
    /// The parent's lport id.
    pub parent: String,
    /// The record's `segmentation_type`.
    pub segmentation_type: String,
    /// The record's `segmentation_id`.
    pub segmentation_id: Option<u64>,
    /// The id of the lswitch.
    pub network: String,
    /// The `unique_key`.
    pub key: PortKey,
    /// Its own addresses.
    pub macs: Vec<MacAddr>,
    /// [`UP`], or why not.
    pub state: String,
    /// Tags from the port that no segmentation of it has, most frequent first.
    pub unknown_tags: Vec<UnknownTagView>,
    /// MAC addresses that port security did not let the port use, most frequent first.
    pub refused_macs: Vec<RefusedMacView>,
}

/// A tag that a guest sends by mistake. A port lists the most frequent, at least eight of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownTagView {
    /// `0x8100` (802.1Q) or `0x88a8` (802.1ad).
    pub tpid: String,
    /// The VID.
    pub vid: u16,
    /// Frames with it.
    pub frames: u64,
    /// How long ago the last of them came.
    pub seconds_ago: u64,
}

/// A MAC address that a guest sends from, or announces, by mistake. A port lists the most frequent, at least eight of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMacView {
    /// The address.
    pub mac: MacAddr,
    /// Frames from it.
    pub frames: u64,
    /// How long ago the last of them came.
    pub seconds_ago: u64,
}

/// A logical switch and its ports that are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// The lswitch's id.
    pub lswitch: String,
    /// The lswitch's name.
    pub name: String,
    /// The `unique_key`.
    pub key: NetworkKey,
    /// Ports and subports.
    pub ports: Vec<NetworkPortView>,
}

/// A port or subport as its network lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPortView {
    /// The lport's id.
    pub lport: String,
    /// The `unique_key`.
    pub key: PortKey,
    /// Its own addresses.
    pub macs: Vec<MacAddr>,
    /// The other addresses in its `allowed_address_pairs`.
    pub pairs: Vec<PairView>,
    /// [`UP`], or why not.
    pub state: String,
}

/// A MAC address in `allowed_address_pairs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairView {
    /// The address.
    pub mac: MacAddr,
    /// The lport here that frames to it are delivered to; `null` while none of several holds it, or when the one
    /// that owns it is not up here.
    pub holder: Option<String>,
}

/// A worker thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its number, from 0.
    pub worker: usize,
    /// The CPU that it is pinned to.
    pub cpu: usize,
    /// The queues that it owns, each as `device/number`.
    pub queues: Vec<String>,
    /// Whether it sleeps in `poll` for lack of frames.
    pub sleeping: bool,
    /// Frames that other workers left for it and that it has not taken yet.
    pub handover_queued: u64,
}

/// Every counter, since the daemon's start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatsView {
    /// Per logical port, subports too.
    pub ports: Vec<PortStats>,
    /// Per device.
    pub devices: Vec<DeviceStats>,
    /// Where all frames are.
    pub frames: FrameCensus,
}

/// A logical port's counters. *Received* is into the switch, *sent* is out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortStats {
    /// The lport's id.
    pub lport: String,
    /// Frames from the port.
    pub received_frames: u64,
    /// Their length, tags included, without FCS.
    pub received_bytes: u64,
    /// Frames to the port.
    pub sent_frames: u64,
    /// Their length, tags included, without FCS.
    pub sent_bytes: u64,
    /// Frames that ended at this port, per drop reason.
    pub drops: BTreeMap<String, u64>,
    /// How often an address of `allowed_address_pairs` that several ports have moved to the port.
    pub address_moves: u64,
    /// Frames that announced such an address less than a second after it had moved to another port.
    pub refused_address_moves: u64,
}

/// A device's counters: what its XDP program did, then what its sockets did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceStats {
    /// The device's name.
    pub device: String,
    /// Frames that the XDP program gave to a socket.
    pub redirected: u64,
    /// Frames that it left to the kernel: no socket there, `no_socket = "pass"`.
    pub passed: u64,
    /// Frames that it dropped.
    pub dropped: u64,
    /// Frames that the device itself dropped on their way out, whoever sent them: its receiver is too slow.
    pub transmit_dropped: u64,
    /// Per queue.
    pub sockets: Vec<SocketStats>,
}

/// A socket's counters, as the kernel keeps them (`XDP_STATISTICS` in `linux/if_xdp.h`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SocketStats {
    /// The queue's number.
    pub queue: u16,
    /// Frames that found no room, or were too long.
    pub rx_dropped: u64,
    /// Fill descriptors that the kernel refused.
    pub rx_invalid: u64,
    /// TX descriptors that the kernel refused.
    pub tx_invalid: u64,
    /// Frames lost because the RX ring was full.
    pub rx_ring_full: u64,
    /// Frames lost because the fill ring was empty.
    pub fill_ring_empty: u64,
    /// Wake-ups that found nothing to send.
    pub tx_ring_empty: u64,
}

/// Where the UMEM's frames are. `sum` is all places added up and equals `total`, or a frame is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FrameCensus {
    /// Frames that the UMEM was divided into.
    pub total: u64,
    /// Free.
    pub pool: u64,
    /// In fill rings.
    pub fill: u64,
    /// In RX rings.
    pub rx: u64,
    /// With a worker, between receive and transmit.
    pub in_hand: u64,
    /// In TX rings.
    pub tx: u64,
    /// In completion rings.
    pub completion: u64,
    /// Handed over, not taken yet.
    pub between_workers: u64,
    /// The sum of all places.
    pub sum: u64,
}

/// A frame that did not exist: what would become of it?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRequest {
    /// The lport whose device it comes in by.
    pub port: String,
    /// The frame from the destination address on, without FCS.
    pub frame: Hex,
}

/// What would become of the frame.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TraceView {
    /// Each step that did something, in order.
    pub steps: Vec<TraceStep>,
    /// Each frame that would leave.
    pub outputs: Vec<TraceOutput>,
    /// Each end inside the switch.
    pub drops: Vec<TraceDrop>,
}

/// One step's doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// `classify`, `destination`, `dispatch`, ...
    pub step: String,
    /// What it did, in words.
    pub what: String,
}

/// A frame that would leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceOutput {
    /// By this device.
    pub device: String,
    /// To this lport.
    pub port: String,
    /// With these bytes.
    pub frame: Hex,
}

/// A frame, or a copy of one, that would end inside the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceDrop {
    /// The lport that the drop is counted at.
    pub port: String,
    /// The drop reason's name.
    pub reason: String,
}

/// The NB DB as this host sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NbView {
    /// Its URL without the password.
    pub url: String,
    /// `followed`, or what the records in force are instead.
    pub state: String,
    /// The revision in force.
    pub revision: Option<u64>,
    /// How old the records in force are at the most, in seconds.
    pub age_seconds: Option<f64>,
    /// Why it is not followed.
    pub error: Option<String>,
    /// Whether this host's record in table `chassis` is written, and if not, why.
    pub chassis_record: String,
    /// How many ports it has as up here: the last report that it took, until that expires.
    pub reported_up: u64,
    /// How many of its records cannot be used as they are; `show problems` says which, and why.
    pub unusable: u64,
}
