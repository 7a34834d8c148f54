//! Counters. All count since the daemon's start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outside::OutsideStats;

/// All counters of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatsView {
    /// One entry for each logical port, subports included.
    pub ports: Vec<PortStats>,
    /// One entry for each other host, and for each provider network with a port here.
    pub outside: Vec<OutsideStats>,
    /// One entry for each link that is in use.
    pub links: Vec<LinkStats>,
    /// Where the chunks of the packet memory are.
    pub chunks: ChunkCensus,
}

/// A logical port's counters. *Received* is into the switch, *sent* is out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortStats {
    /// Id of the record in table `lport`.
    pub lport: String,
    /// Frames from the port.
    pub received_frames: u64,
    /// Their length, tags included, without FCS.
    pub received_bytes: u64,
    /// Frames to the port.
    pub sent_frames: u64,
    /// Their length, tags included, without FCS.
    pub sent_bytes: u64,
    /// Frames dropped at this port, per drop reason.
    pub drops: BTreeMap<String, u64>,
    /// How often an address of `allowed_address_pairs` that several ports have moved to the port.
    pub address_moves: u64,
    /// Frames that announced such an address less than a second after it had moved to another port.
    pub refused_address_moves: u64,
}

/// A link's counters: those of its XDP program, then those of its sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkStats {
    /// Present name of the link.
    pub link: String,
    /// Frames that the XDP program gave to a socket.
    pub redirected: u64,
    /// Frames that it left to the kernel: no socket there, `no_socket = "pass"`.
    pub passed: u64,
    /// Frames that it dropped: no socket there, `no_socket = "drop"`.
    pub dropped: u64,
    /// Frames that the kernel dropped on their way out of the link, from any sender: the receiver is too
    /// slow.
    pub transmit_dropped: u64,
    /// One entry for each queue.
    pub sockets: Vec<SocketStats>,
}

/// A socket's counters, as the kernel keeps them (`XDP_STATISTICS` in `linux/if_xdp.h`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SocketStats {
    /// The queue's number, from 0.
    pub queue: u16,
    /// Frames that found no room, or were too long.
    pub rx_dropped: u64,
    /// Fill descriptors that the kernel rejected.
    pub rx_invalid: u64,
    /// TX descriptors that the kernel rejected.
    pub tx_invalid: u64,
    /// Frames dropped because the RX ring was full.
    pub rx_ring_full: u64,
    /// Frames dropped because the fill ring was empty.
    pub fill_ring_empty: u64,
    /// Wake-ups that found nothing to send.
    pub tx_ring_empty: u64,
}

/// The number of chunks in each place. `sum` is all places added up and equals `total`, or a chunk has
/// leaked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChunkCensus {
    /// Chunks that the packet memory is divided into.
    pub total: u64,
    /// Free, in the pools of the workers or of all.
    pub pool: u64,
    /// In the fill rings.
    pub fill: u64,
    /// In the RX rings.
    pub rx: u64,
    /// With a worker, between receive and transmit.
    pub in_hand: u64,
    /// In the TX rings.
    pub tx: u64,
    /// In the completion rings.
    pub completion: u64,
    /// Handed over to another worker, and not received by it yet.
    pub between_workers: u64,
    /// The sum of all places.
    pub sum: u64,
}
