//! A packet that waits for another worker. It is not ready for the wire, for the tables may change meanwhile.

use super::{Blame, Halt, Origin, Packet, Target};
use crate::tables::{Identity, Tables, WorkerId};
use crate::types::NetworkKey;
use crate::types::drop_reason::{Admit, Transmit};
use crate::xsk::Frame;

/// A packet on its way to another worker.
#[derive(Debug)]
pub struct HandedOver {
    packet: Packet,
    target: Target,
    from: WorkerId,
    /// Of the tables by which the slots in the packet and the target were found.
    generation: u64,
    /// The ports, hosts and the network in these slots: others may have them in later tables.
    keys: Keys,
}

#[derive(Debug, Clone, Copy)]
struct Keys {
    origin: Option<Identity>,
    network: Option<NetworkKey>,
    receiver: Option<Identity>,
}

const _: () = assert!(size_of::<HandedOver>() <= 80);

impl HandedOver {
    /// A packet for `target`, which this worker does not reach.
    pub(super) fn new(packet: Packet, target: Target, from: WorkerId, tables: &Tables) -> Self {
        let keys = Keys {
            origin: packet.facts.origin.port().and_then(|slot| tables.identity(slot)),
            network: tables.network(packet.facts.network).map(|network| network.key),
            receiver: match target {
                Target::Port(slot) => tables.identity(slot),
                Target::Flood => None,
            },
        };
        Self { packet, target, from, generation: tables.generation(), keys }
    }

    /// The worker that received the packet.
    pub(super) const fn from(&self) -> WorkerId {
        self.from
    }

    /// The packet, when there is no room for it with the other worker.
    pub(super) fn into_packet(self) -> Packet {
        self.packet
    }

    /// The packet and its target, for the worker that it was left for.
    ///
    /// # Errors
    /// The frame, and why it is dropped, when newer `tables` have its receiver elsewhere.
    #[inline]
    pub(super) fn open(self, tables: &Tables) -> Result<(Packet, Target), (Frame, Halt)> {
        if self.generation == tables.generation() {
            Ok((self.packet, self.target))
        } else {
            self.renew(tables)
        }
    }

    #[cold]
    fn renew(self, tables: &Tables) -> Result<(Packet, Target), (Frame, Halt)> {
        let Self { mut packet, target, keys, .. } = self;
        let origin = packet.facts.origin.port().and_then(|slot| tables.identity(slot));
        if origin != keys.origin {
            packet.facts.origin = Origin::DEPARTED;
        }
        let network = match target {
            Target::Flood => Ok(Some(packet.facts.network)),
            Target::Port(slot) if tables.identity(slot) != keys.receiver => {
                Err(Halt::drop(Blame::NO_PORT, Transmit::NoSocket))
            }
            Target::Port(slot) => {
                // A host has ports of many networks.
                Ok(tables.port(slot).map_or(Some(packet.facts.network), |port| port.network))
            }
        };
        let network = network.and_then(|slot| {
            let is_same =
                |slot: &_| tables.network(*slot).is_some_and(|network| Some(network.key) == keys.network);
            let blame = match target {
                Target::Port(receiver) => receiver.into(),
                Target::Flood => packet.facts.origin.into(),
            };
            slot.filter(is_same).ok_or(Halt::Drop(blame, Admit::NetworkLeft.into()))
        });
        match network {
            Ok(network) => {
                packet.facts.network = network;
                Ok((packet, target))
            }
            Err(halt) => Err((packet.frame, halt)),
        }
    }
}
