//! What a worker remembers from one packet to the next: plain memory with one writer, made when the worker
//! starts.

mod meter;

use crate::tables::Identity;
use crate::types::NetworkKey;
use meter::Meters;

/// The state of one worker.
#[derive(Debug, Default)]
pub struct State {
    /// The rations of the guests, by the slots of their links.
    pub(super) meters: Meters<Identity>,
    /// The rations of senders on other hosts, by the slots of their networks.
    pub(super) outside_meters: Meters<NetworkKey>,
    /// The identification of the last IPv4 packet of a tunnel.
    pub(super) ipv4_id: u16,
}
