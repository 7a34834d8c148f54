//! What tells the connections of a worker apart.

use bytemuck::Zeroable;

use crate::packet::datagram::{Asker, End, Talk};
use crate::tables::Identity;
use crate::types::{Direction, Family, mix};

/// A connection of a port, the same for the packets of both directions. Each port has its own: of two guests
/// of one host that talk with each other, each has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Zeroable)]
pub(crate) struct Key {
    local: [u32; 4],
    remote: [u32; 4],
    /// The number of its [`Identity`].
    port: u32,
    local_port: u16,
    remote_port: u16,
    protocol: u8,
    family: Family,
    /// From the point of view of a packet from the port.
    asker: Asker,
}

const _: () = assert!(size_of::<Key>() == 44);

/// A protocol that no packet has: that of fragments, whose ports are their identification.
const FRAGMENT: u8 = 255;

impl Key {
    /// The connection that a packet of `talk`, in this direction, belongs to.
    #[inline]
    pub(crate) const fn of(port: Identity, direction: Direction, talk: &Talk) -> Self {
        let talk = match direction {
            Direction::Egress => *talk,
            Direction::Ingress => talk.reversed(),
        };
        Self {
            local: words(talk.source.address),
            remote: words(talk.destination.address),
            port: port.number(),
            local_port: talk.source.port,
            remote_port: talk.destination.port,
            protocol: talk.protocol,
            family: talk.family,
            asker: talk.asker,
        }
    }

    /// The fragments of one packet.
    pub(crate) const fn of_fragments(
        port: Identity,
        direction: Direction,
        talk: &Talk,
        identification: u32,
    ) -> Self {
        let asker = match direction {
            Direction::Egress => Asker::Source,
            Direction::Ingress => Asker::Destination,
        };
        let key = Self::of(port, direction, talk);
        let (local_port, remote_port) = ((identification >> 16) as u16, identification as u16);
        Self { local_port, remote_port, protocol: FRAGMENT, asker, ..key }
    }

    /// Whether it is a key, and not zeros.
    pub(super) const fn is_some(&self) -> bool {
        self.port != 0
    }

    /// The number of the port that it belongs to.
    pub(super) const fn port(&self) -> u32 {
        self.port
    }

    /// The IP protocol; 255 of fragments.
    #[inline]
    pub(crate) const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The conversation from the point of view of a packet in this direction.
    pub(crate) const fn talk(&self, direction: Direction) -> Talk {
        let talk = Talk {
            family: self.family,
            protocol: self.protocol,
            source: End { address: number(self.local), port: self.local_port },
            destination: End { address: number(self.remote), port: self.remote_port },
            asker: self.asker,
        };
        match direction {
            Direction::Egress => talk,
            Direction::Ingress => talk.reversed(),
        }
    }

    /// A number that guests cannot predict without `seed`.
    #[inline]
    pub(crate) const fn hash(&self, seed: u64) -> u64 {
        let [local, remote] = [self.local, self.remote];
        let ends = mix(pair(local[0], remote[0]) ^ seed, pair(self.port, self.ports()));
        let ends = match self.family {
            Family::Ipv4 => ends,
            Family::Ipv6 => {
                let high = mix(ends ^ pair(local[1], local[2]), pair(local[3], remote[1]));
                mix(high ^ seed, pair(remote[2], remote[3]))
            }
        };
        mix(ends ^ seed.rotate_left(32), pair(self.protocol as u32, self.asker as u32))
    }

    const fn ports(&self) -> u32 {
        (self.local_port as u32) << 16 | self.remote_port as u32
    }
}

/// An address as words, the lowest first: that of IPv4 is one word.
const fn words(address: u128) -> [u32; 4] {
    [address as u32, (address >> 32) as u32, (address >> 64) as u32, (address >> 96) as u32]
}

const fn number([a, b, c, d]: [u32; 4]) -> u128 {
    a as u128 | (b as u128) << 32 | (c as u128) << 64 | (d as u128) << 96
}

const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}
