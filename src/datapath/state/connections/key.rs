//! What tells the connections of a worker apart.

use bytemuck::{NoUninit, Zeroable, cast_ref};

use crate::packet::datagram::{Address, Asker, End, Talk};
use crate::tables::Identity;
use crate::types::{Direction, Family, mix};

/// A connection of a port, the same for the packets of both directions. Each port has its own: of two guests
/// of one host that talk with each other, each has one.
#[derive(Debug, Clone, Copy, Zeroable, NoUninit)]
#[repr(C)]
pub(crate) struct Key {
    local: Address,
    remote: Address,
    /// The number of its [`Identity`].
    port: u32,
    local_port: u16,
    remote_port: u16,
    protocol: u8,
    family: Family,
    /// From the point of view of a packet from the port.
    asker: Asker,
    none: u8,
}

const _: () = assert!(size_of::<Key>() == 44);

/// As words, in a few comparisons instead of one for each field.
impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let words = cast_ref::<Self, [u32; 11]>;
        words(self).iter().zip(words(other)).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

impl Eq for Key {}

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
            local: talk.source.address,
            remote: talk.destination.address,
            port: port.number(),
            local_port: talk.source.port,
            remote_port: talk.destination.port,
            protocol: talk.protocol,
            family: talk.family,
            asker: talk.asker,
            none: 0,
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
            source: End { address: self.local, port: self.local_port },
            destination: End { address: self.remote, port: self.remote_port },
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
        let local = hash_of_end(self.local, self.local_port, self.family, seed);
        let remote = hash_of_end(self.remote, self.remote_port, self.family, seed);
        hash_of(self.port, local.wrapping_add(remote), self.protocol, seed)
    }
}

/// The hash of the key of a port, whichever direction the packet has.
#[inline]
pub(super) const fn hash_at(port: Identity, talk: &Talk, seed: u64) -> u64 {
    let source = hash_of_end(talk.source.address, talk.source.port, talk.family, seed);
    let destination = hash_of_end(talk.destination.address, talk.destination.port, talk.family, seed);
    hash_of(port.number(), source.wrapping_add(destination), talk.protocol, seed)
}

const fn hash_of(port: u32, ends: u64, protocol: u8, seed: u64) -> u64 {
    mix(ends ^ seed, pair(port, protocol as u32))
}

const fn hash_of_end(address: Address, port: u16, family: Family, seed: u64) -> u64 {
    let [a, b, c, d] = address.words();
    let low = pair(a, port as u32);
    match family {
        Family::Ipv4 => mix(low ^ seed, seed.rotate_left(32)),
        Family::Ipv6 => mix(mix(low ^ seed, pair(b, c)), seed ^ d as u64),
    }
}

const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}
