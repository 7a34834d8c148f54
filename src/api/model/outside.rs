//! Other hosts, and the links that they are reached by.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::kernel::inspect::XdpMode;
use crate::types::{IfIndex, MacAddr, TunnelType, VlanId};
use crate::xsk::SocketMode;

/// Another host with ports of networks that have a port here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Id of its record in table `chassis`; the address of a hardware VTEP.
    pub peer: String,
    /// Address of its tunnel endpoint.
    pub endpoint: IpAddr,
    /// The types that it receives.
    pub tunnel_types: Vec<TunnelType>,
    /// Ids of the networks that it has ports of.
    pub networks: Vec<String>,
    /// The paths to it; several of equal cost, if the kernel's route has them.
    pub paths: Vec<PathView>,
    /// Why there is no path.
    pub problem: Option<String>,
    /// Time since the paths last changed.
    pub age_seconds: u64,
    /// Frames that arrived from it.
    pub received_frames: u64,
    /// Frames that were sent to it.
    pub sent_frames: u64,
}

/// A path to another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathView {
    /// Name of the uplink that packets leave by.
    pub link: String,
    /// The gateway, or the endpoint itself.
    pub next_hop: IpAddr,
    /// The address of the next hop.
    pub next_hop_mac: MacAddr,
    /// Bytes of the longest outer packet.
    pub mtu: u32,
}

/// A link that other hosts are reached by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkView {
    /// Name of the link.
    pub link: String,
    /// The link's index, while it exists.
    pub ifindex: Option<IfIndex>,
    /// How the XDP program is attached, while it is.
    pub mode: Option<XdpMode>,
    /// Mode of its sockets, while it is open.
    pub socket_mode: Option<SocketMode>,
    /// RX queues of the link, each with a socket; 0 while it is not open.
    pub queues: u16,
    /// The physical networks that are mapped to it.
    pub physical_networks: Vec<String>,
    /// The VLANs of provider networks that it receives.
    pub vlans: Vec<VlanId>,
    /// Whether untagged frames belong to a provider network (`flat`).
    pub untagged: bool,
    /// The number of hosts whose tunnels leave by it.
    pub peers: usize,
    /// Why it is not open.
    pub problem: Option<String>,
}

/// Counters of frames from and to other hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideStats {
    /// The far end that is counted.
    #[serde(flatten)]
    pub subject: OutsideSubject,
    /// Frames that arrived from there.
    pub received_frames: u64,
    /// Their length with outer headers, without FCS.
    pub received_bytes: u64,
    /// Frames that were sent there.
    pub sent_frames: u64,
    /// Their length with outer headers, without FCS.
    pub sent_bytes: u64,
    /// Frames dropped on the way from or to there, per drop reason.
    pub drops: BTreeMap<String, u64>,
}

/// The far end that frames are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideSubject {
    /// A host, by the id of its chassis record or the address of its VTEP.
    Peer(String),
    /// The segment of a provider network, by the id of the network.
    Segment(String),
}
